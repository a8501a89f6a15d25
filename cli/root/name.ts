/**
 * The root ceremony: makes offline root keys, and builds and signs root metadata over the online keys' public halves.
 * One root per deployment. Private keys are values here; only `root-key-files.ts` writes them to files.
 */
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { keyIdOf } from "#core/tuf/read.ts";
import { formatCanonical } from "#schema/canonical.ts";
import { type Root, type Signature, specVersion, type TufKey, tufKey } from "#schema/tuf.ts";

export interface RootKey {
  readonly keyid: string;
  readonly key: TufKey;
  readonly privateKey: KeyObject;
}

/** The online keys as the control plane tells them: public halves only. */
export interface OnlineKeys {
  readonly targets: TufKey;
  readonly snapshot: TufKey;
  readonly timestamp: TufKey;
}

const day = 86_400_000;
const lifetimeDays = 365;

/** SHA-256 of a text's UTF-8 bytes, hex. */
export const sha256Of = (text: string): string => createHash("sha256").update(text).digest("hex");

export function makeRootKey(): RootKey {
  const { privateKey } = generateKeyPairSync("ed25519");
  return readRootKey(privateKey);
}

/** @throws Error when the key is not Ed25519 */
export function readRootKey(privateKey: KeyObject): RootKey {
  const { x } = privateKey.export({ format: "jwk" });
  if (privateKey.asymmetricKeyType !== "ed25519" || x === undefined)
    throw new Error("not an Ed25519 key");
  const key = tufKey(Buffer.from(x, "base64url").toString("hex"));
  return { keyid: keyIdOf(key), key, privateKey };
}

export interface RootInput {
  readonly version: number;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  /** How many days later the root expires, 365 where it is not said. */
  readonly days?: number | undefined;
  readonly threshold: number;
  readonly rootKeys: readonly TufKey[];
  readonly online: OnlineKeys;
  /** Who signs targets, where it is not the online key alone. */
  readonly targets?: TargetsRole | undefined;
}

export interface TargetsRole {
  readonly keys: readonly TufKey[];
  readonly threshold: number;
}

/** The root payload, unsigned. The online roles have one key each, but for targets that operators sign. */
export function buildRoot(input: RootInput): Root {
  const { snapshot, timestamp } = input.online;
  const targets = input.targets ?? { keys: [input.online.targets], threshold: 1 };
  const all = [...input.rootKeys, ...targets.keys, snapshot, timestamp];
  const single = (key: TufKey) => ({ keyids: [keyIdOf(key)], threshold: 1 });
  return {
    _type: "root",
    spec_version: specVersion,
    consistent_snapshot: true,
    version: input.version,
    expires: `${new Date(input.now + (input.days ?? lifetimeDays) * day).toISOString().slice(0, 19)}Z`,
    keys: Object.fromEntries(all.map((key) => [keyIdOf(key), key])),
    roles: {
      root: { keyids: input.rootKeys.map(keyIdOf), threshold: input.threshold },
      targets: { keyids: targets.keys.map(keyIdOf), threshold: targets.threshold },
      snapshot: single(snapshot),
      timestamp: single(timestamp),
    },
  };
}

/** One key's signature over the root payload. */
export const signatureOf = (signed: Root, key: RootKey): Signature =>
  signatureOver(formatCanonical(signed), key);

/** One key's signature over a text's UTF-8 bytes, which are those of canonical JSON. */
export const signatureOver = (text: string, { keyid, privateKey }: RootKey): Signature => ({
  keyid,
  sig: sign(null, Buffer.from(text, "utf8"), privateKey).toString("hex"),
});

/** The exact text of root.json. A new root needs a threshold of its own keys and of its predecessor's. */
export const signRoot = (signed: Root, signers: readonly RootKey[]): string =>
  formatCanonical({ signatures: signers.map((key) => signatureOf(signed, key)), signed });
