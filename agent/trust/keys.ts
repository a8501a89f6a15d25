/**
 * Ed25519 public keys and the signatures made with them. Nothing but Ed25519 exists here, so no message can choose an
 * algorithm. Keys that would verify signatures nobody made are refused before they are ever used: node's verify
 * accepts them (THREATS.md, row 3).
 */
import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto";
import { canonicalText } from "#schema/canonical.ts";
import { isPinnableKey } from "#schema/ed25519.ts";
import type { TufKey } from "#schema/tuf.ts";
import { Refused } from "../refusal.ts";

/** A key that node can verify with. @throws Refused `root_invalid` for a low-order or non-canonical one */
export function importKey(key: TufKey): KeyObject {
  const raw = Buffer.from(key.keyval.public, "hex");
  if (!isPinnableKey(raw)) throw new Refused("root_invalid", "root names a weak Ed25519 key");
  const x = raw.toString("base64url");
  try {
    return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
  } catch {
    throw new Refused("root_invalid", "root names a key that is not an Ed25519 point");
  }
}

/** SHA-256 of the canonical key object: a key has one id, so one key cannot count twice towards a threshold. */
export const keyIdOf = (key: TufKey): string => sha256(canonicalText(key));

export const verifies = (key: KeyObject, bytes: Uint8Array, signatureHex: string): boolean =>
  verify(null, bytes, key, Buffer.from(signatureHex, "hex"));

export const sha256 = (content: Uint8Array | string): string =>
  createHash("sha256").update(content).digest("hex");
