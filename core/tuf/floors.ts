/**
 * The highest versions that a host ever believed (THREATS.md, row 5). A floor belongs to a role's key set: after a root
 * rotates the keys of a stolen role, versions start again from the new keys (row 13), and so does what was believed of
 * the time. Values only; `agent/trust/floors.ts` keeps them.
 */
import { hashText } from "#schema/sha256.ts";
import type { Role, Root } from "#schema/tuf.ts";

export interface RoleFloor {
  /** Of the keys that signed it. */
  readonly keyset: string;
  readonly version: number;
  /** Of the file that had this version. */
  readonly sha256: string;
}

export interface TargetsFloor extends RoleFloor {
  /** Also by the snapshot's key set, because a stolen snapshot key can fast-forward the targets it pins. */
  readonly snapshot_keyset: string;
  readonly min_revision: number;
  /** The latest issue that was believed, milliseconds since the Unix epoch; never later than this host's own clock. */
  readonly issued_at: number;
}

export interface Floors {
  readonly root: number;
  readonly timestamp: RoleFloor | null;
  readonly snapshot: RoleFloor | null;
  readonly targets: TargetsFloor | null;
}

/** Identity of a role's key set, whatever the order. */
export const keysetOf = (root: Root, role: Role): string =>
  hashText(root.roles[role].keyids.toSorted().join("\n"));

/** What is known of targets under the very keys that `root` names; null when they are others. */
export const targetsFloorUnder = (root: Root, { targets }: Floors): TargetsFloor | null =>
  targets?.keyset === keysetOf(root, "targets") &&
  targets.snapshot_keyset === keysetOf(root, "snapshot")
    ? targets
    : null;
