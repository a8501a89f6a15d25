/**
 * The one thing that cryptography says about signed files (core/tuf/claims.ts). Nothing but Ed25519 exists
 * here, so no message can choose an algorithm; keys that would verify what nobody signed were refused by the reader.
 */
import { createPublicKey, verify } from "node:crypto";
import type { Claim } from "#core/tuf/claims.ts";

export function holds({ key, sig, bytes }: Claim): boolean {
  const x = Buffer.from(key.keyval.public, "hex").toString("base64url");
  try {
    const publicKey = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
    return verify(null, bytes, publicKey, Buffer.from(sig, "hex"));
  } catch {
    return false; // no key that this runtime knows: no signature by it holds
  }
}
