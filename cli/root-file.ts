/**
 * A root file on its way from one signer to the next: read strictly, its signatures counted and collected. Decides what
 * the control plane and every agent would decide about the file by itself, so that a ceremony fails at the table and
 * not after it. Pure.
 */
import { createPublicKey, verify } from "node:crypto";
import { sizeLimits } from "#schema/bundle.ts";
import { canonicalBytes, canonicalText, parseCanonical } from "#schema/canonical.ts";
import { isPinnableKey } from "#schema/ed25519.ts";
import { compareText } from "#schema/order.ts";
import { envelope, type Role, Root, roles, type Signature, type TufKey } from "#schema/tuf.ts";
import { Failure } from "./output.ts";
import { keyId, type RootKey, signatureOf } from "./root.ts";

export interface RootFile {
  readonly signed: Root;
  readonly signatures: readonly Signature[];
}

/**
 * Reads root.json, signed or not. White space after its end, which mail and editors add, is not counted against it.
 * @throws Failure naming `source` when it is not a root that an agent could accept once it is signed
 */
export function readRootFile(text: string, source: string): RootFile {
  const bytes = new TextEncoder().encode(text.trimEnd());
  if (bytes.length > sizeLimits.root) throw new Failure(`${source}: more than ${sizeLimits.root} bytes`);
  const parsed = envelope(Root).safeParse(parseCanonical(bytes));
  if (!parsed.success) throw new Failure(`${source}: not root metadata in its canonical form`);
  const { signed, signatures } = parsed.data;
  const fault = keyFault(signed) ?? roleFault(signed);
  if (fault !== undefined) throw new Failure(`${source}: ${fault}`);
  if (new Set(signatures.map(({ keyid }) => keyid)).size !== signatures.length)
    throw new Failure(`${source}: two signatures of one key`);
  return { signed, signatures };
}

/** The exact text of the file: what is hashed, stored and served. */
export const rootFileText = ({ signed, signatures }: RootFile): string =>
  canonicalText({ signatures, signed });

function keyFault(root: Root): string | undefined {
  for (const [id, key] of Object.entries(root.keys)) {
    if (keyId(key) !== id) return `key ${id} is not named by its digest`;
    if (!isPinnableKey(Buffer.from(key.keyval.public, "hex")))
      return `key ${id} is of low order or not canonical`;
  }
  return undefined;
}

function roleFault(root: Root): string | undefined {
  for (const role of roles) {
    const { keyids, threshold } = root.roles[role];
    if (new Set(keyids).size !== keyids.length) return `role ${role} names a key twice`;
    if (keyids.some((id) => root.keys[id] === undefined)) return `role ${role} names an unknown key`;
    if (threshold > keyids.length) return `role ${role} asks for more keys than it has`;
    if (role !== "root" && keyids.some((id) => root.roles.root.keyids.includes(id)))
      return `the ${role} key is a root key too`;
  }
  return undefined;
}

/** The root keys of `authority` whose signature over the file holds, in the authority's order. */
export const signersAmong = (file: RootFile, authority: Root): readonly string[] =>
  signersOf(file, authority, "root");

/** The same for any signed file and the role that it is signed by. */
export function signersOf(
  file: { readonly signed: object; readonly signatures: readonly Signature[] },
  authority: Root,
  role: Role,
): readonly string[] {
  const bytes = canonicalBytes(file.signed);
  return authority.roles[role].keyids.filter((id) => {
    const key = authority.keys[id];
    const signature = file.signatures.find(({ keyid }) => keyid === id);
    return key !== undefined && signature !== undefined && holds(key, signature.sig, bytes);
  });
}

function holds(key: TufKey, sig: string, bytes: Uint8Array): boolean {
  const x = Buffer.from(key.keyval.public, "hex").toString("base64url");
  try {
    const publicKey = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
    return verify(null, bytes, publicKey, Buffer.from(sig, "hex"));
  } catch {
    // 32 bytes that are no point on the curve: no signature by them holds.
    return false;
  }
}

/** The file with this key's signature, in place of one it had before. */
export const withSignature = (file: RootFile, key: RootKey): RootFile =>
  withSignatures(file, [signatureOf(file.signed, key)]);

/**
 * One file from copies that were signed apart. Where two hold another signature of one key, the later copy's stands.
 * @throws Failure when the copies are not of one root
 */
export function joinCopies(first: RootFile, others: readonly RootFile[]): RootFile {
  const text = canonicalText(first.signed);
  if (others.some(({ signed }) => canonicalText(signed) !== text))
    throw new Failure("the files are not copies of one root");
  return others.reduce((file, { signatures }) => withSignatures(file, signatures), first);
}

function withSignatures({ signed, signatures }: RootFile, more: readonly Signature[]): RootFile {
  const all = new Map([...signatures, ...more].map((signature) => [signature.keyid, signature]));
  return { signed, signatures: [...all.values()].toSorted((a, b) => compareText(a.keyid, b.keyid)) };
}
