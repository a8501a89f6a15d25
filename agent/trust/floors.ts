/**
 * Floors (core/tuf/floors.ts) on disk, kept apart from the metadata files, so that no torn, restored or replayed file
 * takes a host back. Two slots with a checksum; the newer valid one counts. Both bad is not a fresh start: it refuses.
 */
import { join } from "node:path";
import * as z from "zod";
import { Refused } from "#core/refused.ts";
import type { Floors } from "#core/tuf/floors.ts";
import { formatCanonical } from "#schema/canonical.ts";
import { Revision, Sha256 } from "#schema/primitives.ts";
import { readOptional, writeDurable } from "#agent/disk/files.ts";
import { sha256 } from "#agent/disk/digest.ts";

const RoleFloor = z.strictObject({ keyset: Sha256, version: z.int().min(1), sha256: Sha256 });

const Kept = z.strictObject({
  /** Rises with every write; tells the newer slot. */
  n: z.int().min(1),
  root: z.int().min(1),
  timestamp: RoleFloor.nullable(),
  snapshot: RoleFloor.nullable(),
  targets: RoleFloor.extend({
    snapshot_keyset: Sha256,
    min_revision: Revision,
    issued_at: z.int().min(0),
  }).nullable(),
});
type Kept = z.infer<typeof Kept>;

const Slot = z.strictObject({ body: Kept, sha256: Sha256 });
const slots = ["floors.a", "floors.b"] as const;

/** Floors of a host that was just enrolled: the pinned root and nothing else. */
export const initialFloors = (root: number): Floors => ({
  root,
  timestamp: null,
  snapshot: null,
  targets: null,
});

/** @throws Refused `state_invalid` when neither slot can be read */
export function readFloors(directory: string): Floors {
  const [newest] = validSlots(directory);
  if (newest === undefined)
    throw new Refused(
      "state_invalid",
      "both copies of the version floors are damaged: accepting nothing new",
    );
  const { n: _, ...floors } = newest;
  return floors;
}

/** Writes the next floors to both slots, the older one first, so that losing either lowers nothing. */
export function writeFloors(directory: string, floors: Floors): void {
  const n = (validSlots(directory)[0]?.n ?? 0) + 1;
  const older = n % 2 === 0 ? slots : slots.toReversed();
  for (const slot of older) writeDurable(join(directory, slot), encodeSlot({ n, ...floors }));
}

/** The newest first. */
const validSlots = (directory: string): readonly Kept[] =>
  slots
    .map((slot) => readSlot(join(directory, slot)))
    .filter((kept) => kept !== undefined)
    .toSorted((a, b) => b.n - a.n);

const encodeSlot = (body: Kept): string =>
  `${formatCanonical({ body, sha256: sha256(formatCanonical(body)) })}\n`;

function readSlot(path: string): Kept | undefined {
  const text = readOptional(path)?.toString("utf8");
  if (text === undefined) return undefined;
  try {
    const slot = Slot.safeParse(JSON.parse(text));
    return slot.success && encodeSlot(slot.data.body) === text ? slot.data.body : undefined;
  } catch {
    return undefined; // not JSON: torn
  }
}
