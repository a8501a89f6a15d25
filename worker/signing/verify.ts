/**
 * The one thing that cryptography says about signed files (core/tuf/claims.ts), on WebCrypto: the TUF libraries cannot
 * verify in workerd.
 */
import { fromHex } from "#core/hex.ts";
import type { Claim } from "#core/tuf/claims.ts";
import { isPinnableKey } from "#schema/ed25519.ts";

export const holds = ({ key, sig, bytes }: Claim): Promise<boolean> =>
  verifyEd25519(fromHex(key.keyval.public), fromHex(sig), bytes);

/** One Ed25519 signature; false for a key of low order or any malformed input. */
export async function verifyEd25519(
  publicKey: Uint8Array<ArrayBuffer>,
  signature: Uint8Array<ArrayBuffer>,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  if (!isPinnableKey(publicKey) || signature.length !== 64) return false;
  try {
    const key = await crypto.subtle.importKey("raw", publicKey, { name: "Ed25519" }, false, [
      "verify",
    ]);
    return await crypto.subtle.verify({ name: "Ed25519" }, key, signature, bytes);
  } catch {
    // 32 bytes that are no point on the curve: WebCrypto throws where the answer is no.
    return false;
  }
}
