/**
 * The one reader of signed files, for control plane, command line and agent: size, strict JSON, shape, dates, keys.
 * What it refuses, nobody in this house reads, and no library is shown. Nothing here believes a file: whose signatures on
 * it hold is for `signers.ts` to ask.
 */
import type * as z from "zod";
import { sizeLimits } from "#schema/bundle.ts";
import { encodeCanonical, formatCanonical } from "#schema/canonical.ts";
import { isPinnableKey } from "#schema/ed25519.ts";
import { hashText } from "#schema/sha256.ts";
import {
  envelope,
  type Role,
  Root,
  roles,
  type Signature,
  Snapshot,
  Targets,
  Timestamp,
  type TufKey,
} from "#schema/tuf.ts";
import { fromHex } from "../hex.ts";
import { parseStrict, StrictJsonError } from "../json.ts";
import { Refused } from "../refused.ts";

export interface SignedFile<T extends object> {
  readonly role: Role;
  readonly signed: T;
  /** At most one by each key. */
  readonly signatures: readonly Signature[];
}

/** A root whose keys bear their own names, are strong, and stand in one role each, which they can bring to its threshold. */
export type RootFile = SignedFile<Root>;

/** A root on its way from one signer to the next. */
export type RootDraft = Pick<RootFile, "signed" | "signatures">;

/** @throws Refused `metadata_too_large`, `metadata_malformed`, `root_invalid` */
export function readRoot(bytes: Uint8Array): RootFile {
  const file = read("root", bytes, envelope(Root));
  const fault = rootFault(file.signed);
  if (fault !== undefined) throw new Refused("root_invalid", fault);
  return file;
}

/**
 * A root whose bytes are the canonical ones, as the chain is stored and served.
 * @throws Refused as `readRoot` does, and `metadata_malformed` for any other form of the same value
 */
export function readCanonicalRoot(bytes: Uint8Array): RootFile {
  const file = readRoot(bytes);
  const canonical = encodeCanonical({ signatures: file.signatures, signed: file.signed });
  if (canonical.length !== bytes.length || canonical.some((byte, at) => byte !== bytes[at]))
    throw new Refused("metadata_malformed", "root: expected canonical JSON");
  return file;
}

/** The exact text of root.json: what is hashed, stored and served. */
export const rootText = ({ signed, signatures }: RootDraft): string =>
  formatCanonical({ signatures, signed });

/** @throws Refused `metadata_too_large`, `metadata_malformed`; so do the next two */
export const readTimestamp = (bytes: Uint8Array): SignedFile<Timestamp> =>
  read("timestamp", bytes, envelope(Timestamp));
export const readSnapshot = (bytes: Uint8Array): SignedFile<Snapshot> =>
  read("snapshot", bytes, envelope(Snapshot));
export const readTargets = (bytes: Uint8Array): SignedFile<Targets> =>
  read("targets", bytes, envelope(Targets));

/** SHA-256 of the canonical key object, hex: a key has one id, so one key cannot count twice towards a threshold. */
export const keyIdOf = (key: TufKey): string => hashText(formatCanonical(key));

function read<T extends object>(
  role: Role,
  bytes: Uint8Array,
  schema: z.ZodType<{ signed: T; signatures: Signature[] }>,
): SignedFile<T> {
  if (bytes.length > sizeLimits[role])
    throw new Refused(
      "metadata_too_large",
      `${role} has ${bytes.length} bytes, at most ${sizeLimits[role]}`,
    );
  const parsed = schema.safeParse(parseJson(role, bytes));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const path = issue?.path.map(String).join("/") ?? "";
    throw new Refused("metadata_malformed", `${role} /${path}: ${issue?.message ?? "unexpected"}`);
  }
  const { signed, signatures } = parsed.data;
  if (new Set(signatures.map(({ keyid }) => keyid)).size !== signatures.length)
    throw new Refused("metadata_malformed", `${role} carries two signatures by one key`);
  return { role, signed, signatures };
}

function parseJson(role: Role, bytes: Uint8Array): unknown {
  try {
    return parseStrict(bytes);
  } catch (error) {
    if (error instanceof StrictJsonError)
      throw new Refused("metadata_malformed", `${role}: ${error.message}`);
    throw error;
  }
}

/** Why nobody reads this as a root, whoever signs it; undefined when it is sound. */
export const rootFault = (root: Root): string | undefined =>
  findKeyFault(root) ?? findRoleFault(root);

function findKeyFault(root: Root): string | undefined {
  for (const [id, key] of Object.entries(root.keys)) {
    if (keyIdOf(key) !== id) return `key ${id} is not named by its own digest`;
    if (!isPinnableKey(fromHex(key.keyval.public))) return `key ${id} is weak or no Ed25519 key`;
  }
  return undefined;
}

function findRoleFault(root: Root): string | undefined {
  const rolesOf = new Map<string, Role>();
  for (const role of roles) {
    const { keyids, threshold } = root.roles[role];
    if (new Set(keyids).size !== keyids.length) return `role ${role} names a key twice`;
    if (keyids.some((id) => root.keys[id] === undefined))
      return `role ${role} names an unknown key`;
    if (threshold > keyids.length)
      return `role ${role} asks for ${threshold} signatures and has ${keyids.length} keys`;
    for (const id of keyids) {
      const other = rolesOf.get(id);
      if (other !== undefined) return `the ${role} key ${id} is a ${other} key too`;
      rolesOf.set(id, role);
    }
  }
  return undefined;
}
