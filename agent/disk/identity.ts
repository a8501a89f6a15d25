/**
 * Who this host is: the answer of its enrolment and the private key it made for itself, which never leaves it.
 * Two files in the state directory, both 0600, written once by `join`.
 */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { join } from "node:path";
import * as z from "zod";
import { Key, Sha256 } from "#schema/primitives.ts";
import { readOptional, writeDurable } from "./files.ts";
import { Refused } from "#agent/machine/refusal.ts";

const Enrolment = z.strictObject({
  url: z.string(),
  host: Key,
  fleet: Key,
  root_sha256: Sha256,
  /** Certificates added to the system's, PEM. */
  ca: z.string().nullable(),
});
export type Enrolment = z.infer<typeof Enrolment>;

export interface HostIdentity extends Enrolment {
  readonly key: KeyObject;
}

const files = { enrolment: "identity.json", key: "host.key" } as const;

/** @returns undefined on a host that never joined. @throws Refused `state_invalid` when the files are damaged */
export function readIdentity(directory: string): HostIdentity | undefined {
  const text = readOptional(join(directory, files.enrolment));
  if (text === undefined) return undefined;
  const key = readOptional(join(directory, files.key));
  try {
    const enrolment = Enrolment.parse(JSON.parse(text.toString("utf8")));
    return { ...enrolment, key: createPrivateKey(key ?? "") };
  } catch {
    // The cause may quote the key file, so it is not passed on.
    throw new Refused("state_invalid", "the identity of this host is damaged: enrol it again");
  }
}

/** The key first: an identity without its key would be damaged, a key without an identity is only a leftover. */
export function writeIdentity(directory: string, enrolment: Enrolment, key: KeyObject): void {
  writeDurable(join(directory, files.key), key.export({ type: "pkcs8", format: "pem" }));
  writeDurable(join(directory, files.enrolment), `${JSON.stringify(enrolment, null, 2)}\n`);
}

export const newHostKey = (): KeyObject => generateKeyPairSync("ed25519").privateKey;

/** Raw public half, base64url. */
export function encodePublicHalf(key: KeyObject): string {
  const { x } = key.export({ format: "jwk" });
  if (x === undefined) throw new TypeError("expected an Ed25519 key");
  return x;
}
