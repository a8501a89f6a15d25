/** Real online keys in memory: what the adapters hold on disk or as secrets. */
import type { webcrypto } from "node:crypto";
import { tufKey } from "#schema/tuf.ts";
import type { OnlineRole, Signer } from "#worker/ports.ts";
import type { OnlineKeys } from "#cli/root.ts";

export async function memorySigner(): Promise<Signer> {
  const make = () => crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"]);
  const keys: Readonly<Record<OnlineRole, webcrypto.CryptoKeyPair>> = {
    targets: await make(),
    snapshot: await make(),
    timestamp: await make(),
  };
  const secret = crypto.getRandomValues(new Uint8Array(32));
  return {
    publicKey: async (role) => new Uint8Array(await crypto.subtle.exportKey("raw", keys[role].publicKey)),
    sign: async (role, bytes) =>
      new Uint8Array(await crypto.subtle.sign("Ed25519", keys[role].privateKey, bytes)),
    tokenSecret: () => Promise.resolve(secret),
  };
}

/** The public halves as `GET /v1/root/keys` gives them. */
export async function onlineKeysOf(signer: Signer): Promise<OnlineKeys> {
  const one = async (role: OnlineRole) => tufKey(Buffer.from(await signer.publicKey(role)).toString("hex"));
  return {
    targets: await one("targets"),
    snapshot: await one("snapshot"),
    timestamp: await one("timestamp"),
  };
}
