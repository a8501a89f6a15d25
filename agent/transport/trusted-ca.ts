/** TLS of the agent: version 1.2 or later, the system's certificates and those that `--ca` adds. */
import { Agent } from "node:https";
import { getCACertificates } from "node:tls";

/** One agent per process keeps TLS sessions for resumption, but no idle connections. */
export const tlsAgent = (ca: string | null): Agent =>
  new Agent({
    minVersion: "TLSv1.2",
    keepAlive: false,
    ...(ca === null ? {} : { ca: [...getCACertificates("default"), ca] }),
  });
