/**
 * TLS of a client: version 1.2 or later, a certificate that must be verified whatever the environment says, by the
 * machine's store and what `--ca` adds.
 */
import { Agent, type AgentOptions } from "node:https";
import tls from "node:tls";
import { readStore, StoreError } from "./store.ts";

/**
 * @param ca certificates to believe besides the store's, PEM
 * @throws StoreError when the store or `ca` cannot be read
 */
export function makeTlsAgent(
  ca: string | null,
  options: AgentOptions,
  env: NodeJS.ProcessEnv,
): Agent {
  const { pem } = readStore(env);
  return new Agent({ ...options, rejectUnauthorized: true, secureContext: contextOf(pem, ca) });
}

function contextOf(store: string, ca: string | null): tls.SecureContext {
  if (ca !== null && !ca.includes("-----BEGIN CERTIFICATE-----"))
    throw new StoreError("--ca holds no certificate; expected PEM");
  try {
    return tls.createSecureContext({
      minVersion: "TLSv1.2",
      ca: ca === null ? [store] : [store, ca],
    });
  } catch {
    throw new StoreError(
      `${ca === null ? "" : "--ca or "}the system's store holds a certificate that cannot be read`,
    );
  }
}

/** OpenSSL's reasons not to believe who vouches for a certificate, as node names them. */
const certificateFaults: ReadonlySet<unknown> = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);

/** Whether a connection failed because nobody who is believed vouches for the other side. @param code of node's error */
export const isCertificateFault = (code: unknown): boolean => certificateFaults.has(code);
