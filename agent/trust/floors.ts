/**
 * The highest versions this host ever believed, kept apart from the metadata files, so that no torn, restored or
 * replayed file takes it back (THREATS.md, row 5).
 *
 * A floor belongs to a role's key set: after a root rotates the keys of a stolen role, versions start again from the
 * new keys (row 13). Two slots with a checksum; the newer valid one counts. Both bad is not a fresh start: it refuses.
 */
import { join } from "node:path";
import * as z from "zod";
import { canonicalText } from "#schema/canonical.ts";
import { Revision, Sha256 } from "#schema/primitives.ts";
import { readOptional, writeDurable } from "../persist.ts";
import { Refused } from "../refusal.ts";
import { sha256 } from "./keys.ts";

const RoleFloor = z.strictObject({ keyset: Sha256, version: z.int().min(1), sha256: Sha256 });
export type RoleFloor = z.infer<typeof RoleFloor>;

const Floors = z.strictObject({
  /** Rises with every write; tells the newer slot. */
  n: z.int().min(1),
  root: z.int().min(1),
  timestamp: RoleFloor.nullable(),
  snapshot: RoleFloor.nullable(),
  /** Also by the snapshot's key set, because a stolen snapshot key can fast-forward the targets it pins. */
  targets: RoleFloor.extend({
    snapshot_keyset: Sha256,
    min_revision: Revision,
    issued_at: z.int().min(0),
  }).nullable(),
});
export type Floors = z.infer<typeof Floors>;

const Slot = z.strictObject({ body: Floors, sha256: Sha256 });
const slots = ["floors.a", "floors.b"] as const;

/** Floors of a host that was just enrolled: the pinned root and nothing else. */
export const initialFloors = (root: number): Floors => ({
  n: 1,
  root,
  timestamp: null,
  snapshot: null,
  targets: null,
});

/** @throws Refused `state_invalid` when neither slot can be read */
export function readFloors(directory: string): Floors {
  const valid = slots
    .map((slot) => readSlot(join(directory, slot)))
    .filter((floors) => floors !== undefined)
    .toSorted((a, b) => b.n - a.n);
  const [newest] = valid;
  if (newest === undefined)
    throw new Refused(
      "state_invalid",
      "both copies of the version floors are damaged: accepting nothing new",
    );
  return newest;
}

/** Writes the next floors to both slots, the older one first, so that losing either lowers nothing. */
export function writeFloors(directory: string, floors: Floors): Floors {
  const next = { ...floors, n: floors.n + 1 };
  const older = next.n % 2 === 0 ? slots : slots.toReversed();
  for (const slot of older) writeDurable(join(directory, slot), encodeSlot(next));
  return next;
}

const encodeSlot = (body: Floors): string =>
  `${canonicalText({ body, sha256: sha256(canonicalText(body)) })}\n`;

function readSlot(path: string): Floors | undefined {
  const text = readOptional(path)?.toString("utf8");
  if (text === undefined) return undefined;
  try {
    const slot = Slot.safeParse(JSON.parse(text));
    return slot.success && encodeSlot(slot.data.body) === text ? slot.data.body : undefined;
  } catch {
    return undefined; // not JSON: torn
  }
}
