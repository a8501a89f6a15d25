/**
 * The journal of the apply in progress, `txn.json`. It says which candidate may be in the kernel; whether it is
 * committed is for its slot's seal to say, which changes in one rename. Gone when nothing is in progress.
 */
import { join } from "node:path";
import * as z from "zod";
import { Revision, Sha256 } from "#schema/primitives.ts";
import { waitWhile } from "#agent/process/spawn.ts";
import { isErrno, readOptional, removeDurable, writeDurable } from "./files.ts";
import { settleOutcome, Refused } from "#agent/machine/refusal.ts";
import { revokeSlot, type SlotName, slotNames, makeSlotSeal } from "./slots.ts";
import type { Barred } from "#agent/machine/candidate.ts";

const phases = ["PREPARED", "ARMED", "LOADED"] as const;

const Journal = z.strictObject({
  phase: z.enum(phases),
  slot: z.enum(slotNames),
  seq: z.int().min(1),
  /** 0: from before it was written here. */
  revision: Revision.default(0),
  guard_sha256: Sha256,
  boot_id: z.string(),
  /** Seconds on CLOCK_BOOTTIME at which the watchdog reverts. */
  deadline: z.number(),
});
export type Journal = z.infer<typeof Journal>;

const pathOf = (directory: string): string => join(directory, "txn.json");

/** @throws Refused `state_unwritable` */
export function writeJournal(directory: string, journal: Journal): void {
  writeOrRefuse(() => writeDurable(pathOf(directory), `${JSON.stringify(journal)}\n`));
}

/** @throws Refused `state_unwritable` */
export function closeJournal(directory: string): void {
  if (readOptional(pathOf(directory)) !== undefined)
    writeOrRefuse(() => removeDurable(pathOf(directory)));
}

/** An apply that was cut off, its candidate revoked; null when there was none, when it was committed or never loaded. */
export async function cutOff(
  directory: string,
): Promise<{ readonly tried: Barred; readonly judged: boolean } | null> {
  const journal = read(directory);
  await waitSettled(directory);
  // Whatever the journal says, a candidate that is still pending is never committed later. On a read-only disk it stays
  // pending: it was not judged, and what it loaded is taken back all the same.
  const pending: SlotName[] = [];
  for (const name of slotNames) {
    const revoked = await settleOutcome(async () => revokeSlot(directory, name));
    if (!revoked.ok || revoked.value) pending.push(name);
  }
  if (journal === undefined) return null;
  const unjudged = pending.includes(journal.slot);
  if (
    makeSlotSeal(directory, journal.slot) === "committed" ||
    (unjudged && journal.phase === "PREPARED")
  )
    return null;
  const { seq, revision, guard_sha256 } = journal;
  return { tried: { seq, revision, guard_sha256 }, judged: !unjudged };
}

const watchdogMs = 10_000;

/** A watchdog that was first gets the time to finish, so that it does not load after us. */
export const waitSettled = (directory: string): Promise<void> =>
  waitWhile(
    () => slotNames.some((name) => makeSlotSeal(directory, name) === "revoked"),
    watchdogMs,
  );

/** Undefined when there is none, or it is torn: the first is written before anything is loaded, the next replace it whole. */
function read(directory: string): Journal | undefined {
  try {
    const text = readOptional(pathOf(directory));
    return text === undefined ? undefined : Journal.parse(JSON.parse(text.toString("utf8")));
  } catch {
    return undefined;
  }
}

function writeOrRefuse(write: () => void): void {
  try {
    write();
  } catch (error) {
    if (isErrno(error)) throw new Refused("state_unwritable", `journal: ${error.code}`);
    throw error;
  }
}
