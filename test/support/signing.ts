/** Real online keys in memory: what the adapters hold on disk or as secrets. */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { type OnlineKeys, readRootKey } from "#cli/root/name.ts";
import type { OnlineRole, Signer } from "#worker/ports/index.ts";

export function memorySigner(): Signer {
  const make = (): KeyObject => generateKeyPairSync("ed25519").privateKey;
  const keys: Readonly<Record<OnlineRole, KeyObject>> = {
    targets: make(),
    snapshot: make(),
    timestamp: make(),
  };
  const secret = new Uint8Array(randomBytes(32));
  return {
    publicKey: (role) => Promise.resolve(rawPublicKey(keys[role])),
    sign: (role, bytes) => Promise.resolve(new Uint8Array(sign(null, bytes, keys[role]))),
    tokenSecret: () => Promise.resolve(secret),
  };
}

const rawPublicKey = (key: KeyObject): Uint8Array<ArrayBuffer> =>
  new Uint8Array(Buffer.from(readRootKey(key).key.keyval.public, "hex"));

/** The public halves as `GET /v1/root/keys` gives them. */
export async function onlineKeysOf(signer: Signer): Promise<OnlineKeys> {
  const one = async (role: OnlineRole) => ({
    keytype: "ed25519" as const,
    scheme: "ed25519" as const,
    keyval: { public: Buffer.from(await signer.publicKey(role)).toString("hex") },
  });
  return {
    targets: await one("targets"),
    snapshot: await one("snapshot"),
    timestamp: await one("timestamp"),
  };
}
