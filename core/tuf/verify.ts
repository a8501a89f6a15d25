/**
 * The order of verification (DESIGN §7) of one consistent set of metadata, over one buffer per file. Decides what is
 * believed about what was signed; whether it is timely is asked apart, because what lies on a disk may be over and is
 * still what was believed. A file is hashed by whoever read it.
 */
import { bundlePath, type BundleCustom, decodeBundle } from "#schema/bundle.ts";
import type { Ruleset } from "#schema/ruleset.ts";
import type { Role, Snapshot, Targets, Timestamp } from "#schema/tuf.ts";
import { Refused } from "../refused.ts";
import type { ClaimCheck } from "./claims.ts";
import { type Floors, keysetOf, type RoleFloor, targetsFloorUnder } from "./floors.ts";
import {
  readSnapshot,
  readTargets,
  readTimestamp,
  type RootFile,
  type SignedFile,
} from "./read.ts";
import { isSigned } from "./signers.ts";
import { millisecondsOf, requireIssued, requireNear, requireUnexpired } from "./times.ts";

/** A version further above its floor than this is a stolen key at work, not ten years of renewals. */
const versionJumpMax = 2 ** 20;
/** Features named in `crit` that this version knows: none exist yet. */
const knownCritical: ReadonlySet<string> = new Set();

export interface Owner {
  readonly host: string;
  readonly fleet: string;
}

export const onlineRoles = ["timestamp", "snapshot", "targets"] as const satisfies readonly Role[];
export type OnlineRole = (typeof onlineRoles)[number];

/** Bytes and their SHA-256 in lower-case hex. */
export interface Digested {
  readonly bytes: Uint8Array;
  readonly sha256: string;
}

/** Metadata that every check but those of time and of the bundle has passed. */
export interface Verified {
  readonly root: RootFile;
  readonly timestamp: SignedFile<Timestamp>;
  readonly snapshot: SignedFile<Snapshot>;
  readonly targets: SignedFile<Targets>;
  readonly custom: BundleCustom;
  /** `custom.issued`, milliseconds since the Unix epoch. */
  readonly issuedAt: number;
  readonly bundle: { readonly sha256: string; readonly length: number };
  readonly floors: Record<OnlineRole, RoleFloor>;
}

/** Checks one consistent set of metadata under a root, whatever the time. @throws Refused */
export function* verifyMetadata(
  root: RootFile,
  files: Readonly<Record<OnlineRole, Digested>>,
  owner: Owner,
  floors: Floors,
): ClaimCheck<Verified> {
  if (root.signed.version < floors.root)
    throw new Refused("version_rollback", `root ${root.signed.version} is below ${floors.root}`);

  const timestamp = readTimestamp(files.timestamp.bytes);
  yield* requireSigned(root, timestamp);
  const timestampFloor = requireAboveFloor(
    root,
    timestamp,
    files.timestamp.sha256,
    floors.timestamp,
  );
  requireReach(timestamp, floors.timestamp);

  const snapshotPin = timestamp.signed.meta["snapshot.json"];
  const snapshot = readSnapshot(requirePinned("snapshot", files.snapshot, snapshotPin));
  yield* requireSigned(root, snapshot);
  requireVersion(snapshot, snapshotPin.version);
  const snapshotFloor = requireAboveFloor(root, snapshot, files.snapshot.sha256, floors.snapshot);
  requireReach(snapshot, floors.snapshot);
  requireOwner("snapshot", snapshot.signed.custom, owner);

  const targetsPin = snapshot.signed.meta["targets.json"];
  const targets = readTargets(requirePinned("targets", files.targets, targetsPin));
  yield* requireSigned(root, targets);
  requireVersion(targets, targetsPin.version);
  const before = floors.targets?.snapshot_keyset === snapshotFloor.keyset ? floors.targets : null;
  const targetsFloor = requireAboveFloor(root, targets, files.targets.sha256, before);
  requireReach(targets, floors.targets);

  const { custom, hashes, length } = targets.signed.targets[bundlePath];
  requireOwner("bundle", custom, owner);
  requireCustom(custom, targets.signed.version, leastRevision(root, floors));
  return {
    root,
    timestamp,
    snapshot,
    targets,
    custom,
    issuedAt: millisecondsOf(custom.issued),
    bundle: { sha256: hashes.sha256, length },
    floors: { timestamp: timestampFloor, snapshot: snapshotFloor, targets: targetsFloor },
  };
}

/**
 * The time to go by: a clock that was turned back brings nothing back to life that was over at an issue believed before.
 * @param now milliseconds since the Unix epoch, by the host's own clock
 */
export const timeUnder = ({ signed }: RootFile, floors: Floors, now: number): number =>
  Math.max(now, targetsFloorUnder(signed, floors)?.issued_at ?? 0);

/** Everything must end after `time`. @throws Refused `metadata_expired` */
export function requireFresh({ root, timestamp, snapshot, targets }: Verified, time: number): void {
  for (const file of [root, timestamp, snapshot, targets]) requireUnexpired(file, time);
}

/** No signed time may be further ahead of `time` than any is made for. @throws Refused `time_far` */
export function requireTimesNear(
  { root, timestamp, snapshot, targets, custom }: Verified,
  time: number,
): void {
  for (const file of [root, timestamp, snapshot, targets]) requireNear(file, time);
  requireIssued(custom.issued, time);
}

/** The floors after believing this. @param time what it was judged by; no floor of time is above it */
export const floorsAfter = (
  { root, floors, custom, issuedAt }: Verified,
  before: Floors,
  time: number,
): Floors => ({
  root: root.signed.version,
  timestamp: floors.timestamp,
  snapshot: floors.snapshot,
  targets: {
    ...floors.targets,
    snapshot_keyset: floors.snapshot.keyset,
    min_revision: Math.max(leastRevision(root, before), custom.min_revision),
    issued_at: Math.max(
      targetsFloorUnder(root.signed, before)?.issued_at ?? 0,
      Math.min(time, issuedAt),
    ),
  },
});

/** The bundle that verified metadata names. @throws Refused */
export function verifyBundle(verified: Verified, { bytes, sha256 }: Digested): Ruleset {
  const { length, sha256: digest } = verified.bundle;
  if (bytes.length !== length)
    throw new Refused(
      "bundle_hash_mismatch",
      `bundle has ${bytes.length} bytes, signed are ${length}`,
    );
  if (sha256 !== digest)
    throw new Refused("bundle_hash_mismatch", "bundle is not the one that was signed");
  const decoded = decodeBundle(bytes);
  if (!decoded.ok) throw new Refused(decoded.code, `bundle ${decoded.message}`);
  return decoded.ruleset;
}

type Versioned = SignedFile<{ readonly version: number }>;

function* requireSigned(root: RootFile, file: Versioned): ClaimCheck<void> {
  if (!(yield* isSigned(file, root.signed, file.role)))
    throw new Refused(
      "signature_invalid",
      `${file.role} is not signed by the keys root ${root.signed.version} names`,
    );
}

/** The file's own floor, once it is at or above the one before. */
function requireAboveFloor(
  { signed }: RootFile,
  file: Versioned,
  sha256: string,
  before: RoleFloor | null,
): RoleFloor {
  const { role } = file;
  const { version } = file.signed;
  const keyset = keysetOf(signed, role);
  const floor = before?.keyset === keyset ? before : { version: 0, sha256 };
  if (version < floor.version)
    throw new Refused(
      "version_rollback",
      `${role} ${version} is below ${floor.version}, which was seen before`,
    );
  if (version === floor.version && sha256 !== floor.sha256)
    throw new Refused(
      "version_mismatch",
      `${role} ${version} is not the ${role} ${version} seen before`,
    );
  return { keyset, version, sha256 };
}

/**
 * Counted from the last version seen under any keys: an honest control plane goes on above what a thief made this host
 * see, also under the keys that undo the thief. Nothing was seen before the first: a host that joins takes any.
 */
function requireReach(file: Versioned, last: RoleFloor | null): void {
  const { version } = file.signed;
  if (last !== null && version - last.version > versionJumpMax)
    throw new Refused("version_jump", `${file.role} jumps from ${last.version} to ${version}`);
}

function requirePinned(
  role: Role,
  { bytes, sha256 }: Digested,
  pin: { readonly length: number; readonly hashes: { readonly sha256: string } },
): Uint8Array {
  if (bytes.length !== pin.length || sha256 !== pin.hashes.sha256)
    throw new Refused("hash_mismatch", `${role} is not the one that was signed for`);
  return bytes;
}

function requireVersion(file: Versioned, version: number): void {
  if (file.signed.version !== version)
    throw new Refused(
      "version_mismatch",
      `expected ${file.role} ${version}, got ${file.signed.version}`,
    );
}

function requireOwner(where: string, claimed: Owner, owner: Owner): void {
  if (claimed.host !== owner.host || claimed.fleet !== owner.fleet)
    throw new Refused(
      "wrong_host",
      `${where} is for host ${claimed.host} of fleet ${claimed.fleet}`,
    );
}

/** The least revision that this host may ever run again, as far as the keys in force have said. */
const leastRevision = ({ signed }: RootFile, floors: Floors): number =>
  targetsFloorUnder(signed, floors)?.min_revision ?? 0;

/**
 * What targets say of themselves fits together, and asks for nothing unknown.
 * @param floor the least revision that may run
 * @throws Refused `version_mismatch`, `unknown_critical`, `min_revision`
 */
export function requireCustom(custom: BundleCustom, seq: number, floor: number): void {
  if (custom.seq !== seq)
    throw new Refused("version_mismatch", `targets ${seq} carry seq ${custom.seq}`);
  const unknown = custom.crit.find((feature) => !knownCritical.has(feature));
  if (unknown !== undefined)
    throw new Refused(
      "unknown_critical",
      `bundle needs ${JSON.stringify(unknown)}, which this agent does not know`,
    );
  const least = Math.max(floor, custom.min_revision);
  if (custom.revision < least)
    throw new Refused(
      "min_revision",
      `revision ${custom.revision} is below the least allowed, ${least}`,
    );
}
