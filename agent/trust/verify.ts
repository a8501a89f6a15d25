/**
 * The order of verification (DESIGN §7), over one buffer per file and one fixed time. Decides what the
 * agent believes; touches no file and no clock. Every refusal code of the trust room is given here or in metadata.ts,
 * never by the engine that confirms the result.
 */
import { bundlePath, type BundleCustom, decodeBundle } from "#schema/bundle.ts";
import type { Ruleset } from "#schema/ruleset.ts";
import type { Role, Snapshot, Targets, Timestamp } from "#schema/tuf.ts";
import { type Refusal, Refused, refusalOf } from "../refusal.ts";
import type { Floors, RoleFloor } from "./floors.ts";
import { sha256 } from "./keys.ts";
import {
  keysetOf,
  type MetadataFile,
  readRoot,
  readSnapshot,
  readTargets,
  readTimestamp,
  type RootFile,
  signedBy,
} from "./metadata.ts";

/** A version further above its floor than this is a stolen key at work, not ten years of renewals. */
const versionJumpMax = 2 ** 20;
/** Features named in `crit` that this agent knows: none exist yet. */
const knownCritical: ReadonlySet<string> = new Set();

export interface Owner {
  readonly host: string;
  readonly fleet: string;
}

export const onlineRoles = ["timestamp", "snapshot", "targets"] as const satisfies readonly Role[];

export interface MetadataBytes {
  readonly timestamp: Uint8Array;
  readonly snapshot: Uint8Array;
  readonly targets: Uint8Array;
}

/** Metadata that every check but the bundle's own has passed. */
export interface Verified {
  readonly timestamp: MetadataFile<Timestamp>;
  readonly snapshot: MetadataFile<Snapshot>;
  readonly targets: MetadataFile<Targets>;
  readonly custom: BundleCustom;
  readonly bundle: { readonly sha256: string; readonly length: number };
  /** The floors after believing this. */
  readonly floors: Floors;
}

export interface Followed {
  /** The newest root that verified: kept even when a later one, or anything after it, is refused (TUF §5.3). */
  readonly root: RootFile;
  readonly refusal: Refusal | undefined;
}

/** Follows a chain of roots, each signed by its predecessor's threshold and its own (TUF §5.3.4). */
export function followRoots(trusted: RootFile, successors: readonly Uint8Array[]): Followed {
  let root = trusted;
  for (const bytes of successors) {
    try {
      const next = readRoot(bytes);
      if (next.signed.version !== root.signed.version + 1)
        throw new Refused(
          "root_invalid",
          `expected root ${root.signed.version + 1}, got ${next.signed.version}`,
        );
      if (!signedBy(root, "root", next))
        throw new Refused(
          "root_invalid",
          `root ${next.signed.version} is not signed by root ${root.signed.version}`,
        );
      root = next;
    } catch (error) {
      if (error instanceof Refused) return { root, refusal: refusalOf(error) };
      throw error;
    }
  }
  return { root, refusal: undefined };
}

/**
 * Checks one consistent set of metadata.
 * @param now milliseconds since the Unix epoch; everything must expire after it
 * @throws Refused
 */
export function verifyMetadata(
  root: RootFile,
  bytes: MetadataBytes,
  owner: Owner,
  floors: Floors,
  now: number,
): Verified {
  if (root.signed.version < floors.root)
    throw new Refused("version_rollback", `root ${root.signed.version} is below ${floors.root}`);
  unexpired(root, now);

  const timestamp = readTimestamp(bytes.timestamp);
  signed(root, timestamp);
  const timestampFloor = above(root, timestamp, floors.timestamp);
  withinReach(timestamp, floors.timestamp);
  unexpired(timestamp, now);

  const snapshot = readSnapshot(pinned("snapshot", bytes.snapshot, timestamp.signed.meta["snapshot.json"]));
  signed(root, snapshot);
  sameVersion(snapshot, timestamp.signed.meta["snapshot.json"].version);
  const snapshotFloor = above(root, snapshot, floors.snapshot);
  withinReach(snapshot, floors.snapshot);
  unexpired(snapshot, now);
  owned("snapshot", snapshot.signed.custom, owner);

  const targets = readTargets(pinned("targets", bytes.targets, snapshot.signed.meta["targets.json"]));
  signed(root, targets);
  sameVersion(targets, snapshot.signed.meta["targets.json"].version);
  const before = floors.targets?.snapshot_keyset === snapshotFloor.keyset ? floors.targets : null;
  const targetsFloor = above(root, targets, before);
  withinReach(targets, floors.targets);
  unexpired(targets, now);

  const target = targets.signed.targets[bundlePath];
  const current = before?.keyset === targetsFloor.keyset ? before : null;
  const minRevision = checkCustom(target.custom, owner, targets.signed.version, current?.min_revision ?? 0);
  return {
    timestamp,
    snapshot,
    targets,
    custom: target.custom,
    bundle: { sha256: target.hashes.sha256, length: target.length },
    floors: {
      n: floors.n,
      root: root.signed.version,
      timestamp: timestampFloor,
      snapshot: snapshotFloor,
      targets: {
        ...targetsFloor,
        snapshot_keyset: snapshotFloor.keyset,
        min_revision: minRevision,
        // Bounded by our own time, so that one wrong date cannot push the floor years ahead.
        issued_at: Math.max(current?.issued_at ?? 0, Math.min(now, Date.parse(target.custom.issued))),
      },
    },
  };
}

/** The bundle that verified metadata names. @throws Refused */
export function verifyBundle(verified: Verified, bytes: Uint8Array): Ruleset {
  const { length, sha256: digest } = verified.bundle;
  if (bytes.length !== length)
    throw new Refused("bundle_hash_mismatch", `bundle has ${bytes.length} bytes, signed are ${length}`);
  if (sha256(bytes) !== digest)
    throw new Refused("bundle_hash_mismatch", "bundle is not the one that was signed");
  const decoded = decodeBundle(bytes);
  if (!decoded.ok) throw new Refused(decoded.code, `bundle ${decoded.message}`);
  return decoded.ruleset;
}

function signed(root: RootFile, file: MetadataFile<object>): void {
  if (!signedBy(root, file.role, file))
    throw new Refused(
      "signature_invalid",
      `${file.role} is not signed by the keys root ${root.signed.version} names`,
    );
}

/** The file's own floor, once it is at or above the one before. */
function above(
  root: RootFile,
  file: MetadataFile<{ readonly version: number }>,
  before: RoleFloor | null,
): RoleFloor {
  const { role } = file;
  const { version } = file.signed;
  const keyset = keysetOf(root, role);
  const floor = before?.keyset === keyset ? before : { version: 0, sha256: file.sha256 };
  if (version < floor.version)
    throw new Refused(
      "version_rollback",
      `${role} ${version} is below ${floor.version}, which was seen before`,
    );
  if (version === floor.version && file.sha256 !== floor.sha256)
    throw new Refused("version_mismatch", `${role} ${version} is not the ${role} ${version} seen before`);
  return { keyset, version, sha256: file.sha256 };
}

/**
 * Counted from the last version seen under any keys: an honest control plane goes on above what a thief made this host
 * see, also under the keys that undo the thief. Nothing was seen before the first: a host that joins takes any.
 */
function withinReach(file: MetadataFile<{ readonly version: number }>, last: RoleFloor | null): void {
  const { version } = file.signed;
  if (last !== null && version - last.version > versionJumpMax)
    throw new Refused("version_jump", `${file.role} jumps from ${last.version} to ${version}`);
}

function unexpired(
  file: MetadataFile<{ readonly version: number; readonly expires: string }>,
  now: number,
): void {
  if (file.expiresAt <= now)
    throw new Refused(
      "metadata_expired",
      `${file.role} ${file.signed.version} expired at ${file.signed.expires}`,
    );
}

function pinned(
  role: Role,
  bytes: Uint8Array,
  pin: { readonly length: number; readonly hashes: { readonly sha256: string } },
): Uint8Array {
  if (bytes.length !== pin.length || sha256(bytes) !== pin.hashes.sha256)
    throw new Refused("hash_mismatch", `${role} is not the one that was signed for`);
  return bytes;
}

function sameVersion(file: MetadataFile<{ readonly version: number }>, version: number): void {
  if (file.signed.version !== version)
    throw new Refused("version_mismatch", `expected ${file.role} ${version}, got ${file.signed.version}`);
}

function owned(where: string, claimed: Owner, owner: Owner): void {
  if (claimed.host !== owner.host || claimed.fleet !== owner.fleet)
    throw new Refused("wrong_host", `${where} is for host ${claimed.host} of fleet ${claimed.fleet}`);
}

/** @returns the least revision this host may ever run again */
function checkCustom(custom: BundleCustom, owner: Owner, seq: number, floor: number): number {
  owned("bundle", custom, owner);
  if (custom.seq !== seq) throw new Refused("version_mismatch", `targets ${seq} carry seq ${custom.seq}`);
  const unknown = custom.crit.find((feature) => !knownCritical.has(feature));
  if (unknown !== undefined)
    throw new Refused(
      "unknown_critical",
      `bundle needs ${JSON.stringify(unknown)}, which this agent does not know`,
    );
  const least = Math.max(floor, custom.min_revision);
  if (custom.revision < least)
    throw new Refused("min_revision", `revision ${custom.revision} is below the least allowed, ${least}`);
  return least;
}
