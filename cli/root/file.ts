/**
 * A root file on its way from one signer to the next: read as the control plane and every agent read it (core/tuf), its
 * signatures counted and collected, so that a ceremony fails at the table and not after it. Pure.
 */
import { createPublicKey, verify } from "node:crypto";
import { Refused } from "#core/refused.ts";
import { type Claim, checkClaims } from "#core/tuf/claims.ts";
import { readCanonicalRoot, type RootDraft, rootText } from "#core/tuf/read.ts";
import { type Signed, signersOf as signersIn } from "#core/tuf/signers.ts";
import { formatCanonical } from "#schema/canonical.ts";
import { compareText } from "#schema/order.ts";
import type { Role, Root, Signature } from "#schema/tuf.ts";
import { Failure } from "#cli/text/output.ts";
import { type RootKey, signatureOf } from "./name.ts";

export type RootFile = RootDraft;

/**
 * Reads root.json, signed or not. White space after its end, which mail and editors add, is not counted against it.
 * @throws Failure naming `source` when it is not a root that an agent could accept once it is signed
 */
export function readRootFile(text: string, source: string): RootFile {
  try {
    const { signed, signatures } = readCanonicalRoot(new TextEncoder().encode(text.trimEnd()));
    return { signed, signatures };
  } catch (error) {
    if (error instanceof Refused) throw new Failure(`${source}: ${error.message}`);
    throw error;
  }
}

/** The exact text of the file: what is hashed, stored and served. */
export const rootFileText: (file: RootFile) => string = rootText;

/** The root keys of `authority` whose signature over the file holds, in the authority's order. */
export const signersAmong = (file: Signed, authority: Root): readonly string[] =>
  signersOf(file, authority, "root");

/** The same for any signed file and the role that it is signed by. */
export const signersOf = (file: Signed, authority: Root, role: Role): readonly string[] =>
  checkClaims(signersIn(file, authority, role), holds);

/** The one thing that cryptography says about signed files (core/tuf/claims.ts). */
export function holds({ key, sig, bytes }: Claim): boolean {
  const x = Buffer.from(key.keyval.public, "hex").toString("base64url");
  try {
    const publicKey = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
    return verify(null, bytes, publicKey, Buffer.from(sig, "hex"));
  } catch {
    return false; // no key that this runtime knows: no signature by it holds
  }
}

/** The file with this key's signature, in place of one it had before. */
export const withSignature = (file: RootFile, key: RootKey): RootFile =>
  addSignatures(file, [signatureOf(file.signed, key)]);

/**
 * One file from copies that were signed apart. Where two hold another signature of one key, the later copy's stands.
 * @throws Failure when the copies are not of one root
 */
export function joinCopies(first: RootFile, others: readonly RootFile[]): RootFile {
  const text = formatCanonical(first.signed);
  if (others.some(({ signed }) => formatCanonical(signed) !== text))
    throw new Failure("the files are not copies of one root");
  return others.reduce((file, { signatures }) => addSignatures(file, signatures), first);
}

function addSignatures({ signed, signatures }: RootFile, more: readonly Signature[]): RootFile {
  const all = new Map([...signatures, ...more].map((signature) => [signature.keyid, signature]));
  return {
    signed,
    signatures: [...all.values()].toSorted((a, b) => compareText(a.keyid, b.keyid)),
  };
}
