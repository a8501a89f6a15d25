/**
 * One signed metadata file: the payload's canonical JSON, signed by the role's online key, in canonical JSON again.
 * The text returned is the wire text; nothing downstream encodes it a second time.
 */
import { canonicalBytes, canonicalText } from "#schema/canonical.ts";
import { type TufKey, tufKey } from "#schema/tuf.ts";
import { sha256Hex, toHex } from "../encoding.ts";
import type { OnlineRole, Signer } from "../ports.ts";

/** SHA-256 of the canonical key object, hex: securesystemslib's convention, which tuf-js accepts. */
export const keyId = (key: TufKey): Promise<string> => sha256Hex(canonicalText(key));

export async function signMetadata(signer: Signer, role: OnlineRole, signed: object): Promise<string> {
  const keyid = await keyId(tufKey(toHex(await signer.publicKey(role))));
  const sig = toHex(await signer.sign(role, canonicalBytes(signed)));
  return canonicalText({ signatures: [{ keyid, sig }], signed });
}
