/**
 * One metadata file, from bytes to a typed value: size, strict JSON, shape, dates. Nothing here believes a file; a
 * signature makes it believable, and `signedBy` is the only place that says so.
 */
import type { KeyObject } from "node:crypto";
import type * as z from "zod";
import { sizeLimits } from "#schema/bundle.ts";
import { canonicalBytes } from "#schema/canonical.ts";
import { envelope, type Role, Root, type Signature, Snapshot, Targets, Timestamp } from "#schema/tuf.ts";
import { Refused } from "../refusal.ts";
import { parseStrict, StrictJsonError } from "./json.ts";
import { importKey, keyIdOf, sha256, verifies } from "./keys.ts";

export interface MetadataFile<T> {
  readonly role: Role;
  readonly bytes: Uint8Array;
  readonly sha256: string;
  readonly signed: T;
  readonly signatures: readonly Signature[];
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number;
}

/** A root whose keys were imported and found strong, and whose own threshold signed it. */
export interface RootFile extends MetadataFile<Root> {
  readonly keys: ReadonlyMap<string, KeyObject>;
}

export const readTimestamp = (bytes: Uint8Array) => read("timestamp", bytes, envelope(Timestamp));
export const readSnapshot = (bytes: Uint8Array) => read("snapshot", bytes, envelope(Snapshot));
export const readTargets = (bytes: Uint8Array) => read("targets", bytes, envelope(Targets));

/** A root that is sound in itself. Whether to follow it is for `followRoots` or the pin to say. */
export function readRoot(bytes: Uint8Array): RootFile {
  const file = read("root", bytes, envelope(Root));
  const keys = new Map<string, KeyObject>();
  for (const [keyid, key] of Object.entries(file.signed.keys)) {
    if (keyIdOf(key) !== keyid)
      throw new Refused("root_invalid", "root names a key by an id that is not its own");
    keys.set(keyid, importKey(key));
  }
  for (const [role, { keyids, threshold }] of Object.entries(file.signed.roles)) {
    const distinct = new Set(keyids);
    if (distinct.size !== keyids.length || distinct.size < threshold || keyids.some((id) => !keys.has(id)))
      throw new Refused("root_invalid", `root's role ${role} cannot reach its threshold`);
  }
  const root: RootFile = { ...file, keys };
  if (!signedBy(root, "root", file))
    throw new Refused("root_invalid", "root is not signed by its own threshold");
  return root;
}

/** Whether a threshold of the role's keys, as `root` names them, signed the file. */
export function signedBy(root: RootFile, role: Role, file: MetadataFile<object>): boolean {
  const { keyids, threshold } = root.signed.roles[role];
  const bytes = canonicalBytes(file.signed);
  const valid = keyids.filter((keyid) => {
    const key = root.keys.get(keyid);
    const signature = file.signatures.find((candidate) => candidate.keyid === keyid);
    return key !== undefined && signature !== undefined && verifies(key, bytes, signature.sig);
  });
  return valid.length >= threshold;
}

/** Identity of a role's key set; floors are kept per key set, so that a rotation recovers from a stolen key. */
export const keysetOf = (root: RootFile, role: Role): string =>
  sha256(root.signed.roles[role].keyids.toSorted().join("\n"));

interface Signed {
  readonly version: number;
  readonly expires: string;
}

function read<T extends Signed>(
  role: Role,
  bytes: Uint8Array,
  schema: z.ZodType<{ signed: T; signatures: Signature[] }>,
): MetadataFile<T> {
  if (bytes.length > sizeLimits[role])
    throw new Refused("metadata_too_large", `${role} has ${bytes.length} bytes, at most ${sizeLimits[role]}`);
  const parsed = schema.safeParse(strict(role, bytes));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const path = issue?.path.map(String).join("/") ?? "";
    throw new Refused("metadata_malformed", `${role} /${path}: ${issue?.message ?? "unexpected"}`);
  }
  const { signed, signatures } = parsed.data;
  if (new Set(signatures.map(({ keyid }) => keyid)).size !== signatures.length)
    throw new Refused("metadata_malformed", `${role} carries two signatures by one key`);
  return {
    role,
    bytes,
    sha256: sha256(bytes),
    signed,
    signatures,
    expiresAt: readDate(role, signed.expires),
  };
}

function strict(role: Role, bytes: Uint8Array): unknown {
  try {
    return parseStrict(bytes);
  } catch (error) {
    if (error instanceof StrictJsonError)
      throw new Refused("metadata_malformed", `${role}: ${error.message}`);
    throw error;
  }
}

/** A date that does not exist, such as 30 February, would become another one: refused. */
function readDate(role: Role, text: string): number {
  const at = Date.parse(text);
  if (Number.isNaN(at) || `${new Date(at).toISOString().slice(0, 19)}Z` !== text)
    throw new Refused("metadata_malformed", `${role} expires on a date that does not exist`);
  return at;
}
