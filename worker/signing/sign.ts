/**
 * One signed metadata file: the payload's canonical JSON, signed by the role's online key, in canonical JSON again.
 * The text returned is the wire text; nothing downstream encodes it a second time.
 */
import { keyIdOf } from "#core/tuf/read.ts";
import { encodeCanonical, formatCanonical } from "#schema/canonical.ts";
import { tufKey } from "#schema/tuf.ts";
import { toHex } from "#worker/lib/encoding.ts";
import type { OnlineRole, Signer } from "#worker/ports/index.ts";

export async function signMetadata(
  signer: Signer,
  role: OnlineRole,
  signed: object,
): Promise<string> {
  const keyid = keyIdOf(tufKey(toHex(await signer.publicKey(role))));
  const sig = toHex(await signer.sign(role, encodeCanonical(signed)));
  return formatCanonical({ signatures: [{ keyid, sig }], signed });
}
