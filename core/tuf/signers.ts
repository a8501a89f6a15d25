/** Whose signatures on a file hold: the only place that says that a file may be believed. */
import { encodeCanonical } from "#schema/canonical.ts";
import type { Role, Root, Signature } from "#schema/tuf.ts";
import type { ClaimCheck } from "./claims.ts";
import { readRoot, type RootFile } from "./read.ts";
import { Refused } from "../refused.ts";

/** A file, or what is to become one: a payload and the signatures on it. */
export interface Signed {
  readonly signed: object;
  readonly signatures: readonly Signature[];
}

/** Ids of the keys that `authority` names for the role and whose signature holds, in the authority's order. */
export function* signersOf(
  file: Signed,
  authority: Root,
  role: Role,
): ClaimCheck<readonly string[]> {
  const bytes = encodeCanonical(file.signed);
  const signers: string[] = [];
  for (const id of authority.roles[role].keyids) {
    const key = authority.keys[id];
    const signature = file.signatures.find(({ keyid }) => keyid === id);
    if (key !== undefined && signature !== undefined && (yield { key, sig: signature.sig, bytes }))
      signers.push(id);
  }
  return signers;
}

/** Whether a threshold of the role's keys, as `authority` names them, signed the file. */
export function* isSigned(file: Signed, authority: Root, role: Role): ClaimCheck<boolean> {
  const signers = yield* signersOf(file, authority, role);
  return signers.length >= authority.roles[role].threshold;
}

/** A root that its own threshold signed. Whether to follow it is for `succession.ts` or a pin to say. @throws Refused */
export function* requireSignedRoot(bytes: Uint8Array): ClaimCheck<RootFile> {
  const root = readRoot(bytes);
  if (!(yield* isSigned(root, root.signed, "root")))
    throw new Refused("root_invalid", "root is not signed by its own threshold");
  return root;
}
