/**
 * What this host believes, as it is read back from its state directory: the same checks as for what comes from the
 * network, but that it may be over. The only place that mints a `TrustedBundle`.
 */
import { join } from "node:path";
import { Refused } from "#core/refused.ts";
import { checkClaims } from "#core/tuf/claims.ts";
import { type Floors, keysetOf } from "#core/tuf/floors.ts";
import type { RootFile } from "#core/tuf/read.ts";
import { requireSignedRoot } from "#core/tuf/signers.ts";
import { millisecondsOf } from "#core/tuf/times.ts";
import {
  type Digested,
  type Owner,
  requireTimesNear,
  timeUnder,
  type Verified,
  verifyBundle,
  verifyMetadata,
} from "#core/tuf/verify.ts";
import type { BundleCustom } from "#schema/bundle.ts";
import type { Ruleset } from "#schema/ruleset.ts";
import { roles } from "#schema/tuf.ts";
import { readOptional } from "#agent/disk/files.ts";
import { readBundle } from "./bundles.ts";
import { type Hint, type MetadataBytes, noHint, readGenerations } from "./generations.ts";
import { holds } from "./keys.ts";
import { sha256 } from "#agent/disk/digest.ts";

declare const minted: unique symbol;

/** A ruleset that a threshold of pinned keys signed for this host, newer than or equal to everything seen before. */
export interface TrustedBundle {
  readonly [minted]: true;
  readonly ruleset: Ruleset;
  readonly custom: BundleCustom;
  readonly sha256: string;
  /** The timestamp's expiry, milliseconds since the Unix epoch. */
  readonly leaseEndsAt: number;
}

export interface Identity extends Owner {
  /** SHA-256 of the root pinned at enrolment. */
  readonly rootSha256: string;
}

/** What metadata and bundle say that verify under the root in force. */
export interface Believed {
  readonly verified: Verified;
  readonly bundle: TrustedBundle;
}

export interface Held {
  readonly root: RootFile;
  readonly rootBytes: Uint8Array;
  /** The newest that were believed, under whatever root; no base for anything without `believed`. */
  readonly metadata: MetadataBytes | undefined;
  /** Undefined before the first update, when files are damaged, and when a newer root named other keys. */
  readonly believed: Believed | undefined;
  readonly hint: Hint;
}

/** A digest of all key sets that a root names. */
export const keysOf = ({ signed }: RootFile): string =>
  sha256(roles.map((role) => keysetOf(signed, role)).join("\n"));

export const addDigest = (bytes: Uint8Array): Digested => ({ bytes, sha256: sha256(bytes) });

/** What was signed, under this root, for this host, and of no time that is too far ahead; it may be over. @throws Refused */
export function verify(
  root: RootFile,
  { timestamp, snapshot, targets }: MetadataBytes,
  owner: Owner,
  floors: Floors,
  time: number,
): Verified {
  const files = {
    timestamp: addDigest(timestamp),
    snapshot: addDigest(snapshot),
    targets: addDigest(targets),
  };
  const verified = checkClaims(verifyMetadata(root, files, owner, floors), holds);
  requireTimesNear(verified, time);
  return verified;
}

/** @throws Refused when the bytes are not the bundle that the metadata names */
export function believe(verified: Verified, bytes: Digested): Believed {
  const bundle = {
    ruleset: verifyBundle(verified, bytes),
    custom: verified.custom,
    sha256: verified.bundle.sha256,
    leaseEndsAt: millisecondsOf(verified.timestamp.signed.expires),
  } as TrustedBundle;
  return { verified, bundle };
}

/** The newest generation whose root is sound and at its floor; failing that, the pinned root. @throws Refused */
export function load(directory: string, identity: Identity, floors: Floors, now: number): Held {
  for (const generation of readGenerations(join(directory, "trust"))) {
    const root = parseSoundRoot(generation.root);
    if (root === undefined || root.signed.version < floors.root) continue;
    const { root: rootBytes, metadata, hint } = generation;
    const believed = verifyAgain(directory, identity, floors, root, metadata, now);
    // Metadata that no longer verifies is not a base for anything: fetched again as a whole.
    return {
      root,
      rootBytes,
      metadata,
      believed,
      hint: believed === undefined ? noHint : hintAt(hint, now),
    };
  }
  const pinned = readOptional(join(directory, "root.json"));
  if (pinned === undefined || sha256(pinned) !== identity.rootSha256)
    throw new Refused("state_invalid", "the pinned root is damaged: enrol this host again");
  const root = checkClaims(requireSignedRoot(pinned), holds);
  return { root, rootBytes: pinned, metadata: undefined, believed: undefined, hint: noHint };
}

/** What came later than now did not: without its time, the lease is renewed at the next poll. */
const hintAt = (hint: Hint, now: number): Hint =>
  (hint.accepted_at ?? 0) > now ? { ...hint, accepted_at: null } : hint;

/** What is on disk passes the same checks as what comes from the network; only its age is not held against it. */
export function verifyAgain(
  directory: string,
  identity: Identity,
  floors: Floors,
  root: RootFile,
  metadata: MetadataBytes | undefined,
  now: number,
): Believed | undefined {
  if (metadata === undefined) return undefined;
  try {
    const verified = verify(root, metadata, identity, floors, timeUnder(root, floors, now));
    const bytes = readBundle(directory, verified.bundle.sha256);
    return bytes === undefined ? undefined : believe(verified, addDigest(bytes));
  } catch (error) {
    if (error instanceof Refused) return undefined;
    throw error;
  }
}

function parseSoundRoot(bytes: Uint8Array): RootFile | undefined {
  try {
    return checkClaims(requireSignedRoot(bytes), holds);
  } catch (error) {
    if (error instanceof Refused) return undefined;
    throw error;
  }
}
