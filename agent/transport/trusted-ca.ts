/**
 * TLS of the agent: version 1.2 or later, the system's certificates and those that `--ca` adds.
 * The default import of node:tls is on purpose: an older Node lacks the function, and main must live to say so.
 */
import { Agent } from "node:https";
import tls from "node:tls";

/**
 * One agent per process keeps TLS sessions for resumption, but no idle connections: each request proves again that a
 * new one comes through. The context is made once, because reading the system's certificates takes 30 ms.
 */
export const tlsAgent = (ca: string | null): Agent =>
  new Agent({
    keepAlive: false,
    secureContext: tls.createSecureContext({
      minVersion: "TLSv1.2",
      ...(ca === null ? {} : { ca: [...tls.getCACertificates("default"), ca] }),
    }),
  });
