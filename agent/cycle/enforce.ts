/**
 * One apply with commit-confirm (DESIGN §9): stage, journal, arm the watchdog, load, read back, prove,
 * commit. Whatever ends it before the commit, the last committed ruleset comes back: by this function, by the watchdog
 * when this process is gone, by boot when the machine was. Dead after the commit, the new ruleset stays.
 */
import type { Program } from "#core/render/index.ts";
import type { Guard } from "#schema/guard.ts";
import type { Watchdog } from "#agent/backend/nft/watchdog.ts";
import { readBootId, systemClocks } from "#agent/disk/clock.ts";
import { closeJournal, type Journal, waitSettled, writeJournal } from "#agent/disk/journal.ts";
import type { Kernel } from "#agent/backend/kernel.ts";
import { prove } from "./probe.ts";
import { settleOutcome, type Refusal, Refused } from "#agent/machine/refusal.ts";
import {
  commitSlot,
  revokeSlot,
  type Slot,
  makeSlotSeal,
  stageSlot,
  standaloneText,
  type SlotName,
} from "#agent/disk/slots.ts";
import type { Committed } from "#agent/machine/state.ts";
import type { Client } from "#agent/transport/client.ts";

/** Where a test may end the process; in the order in which they are passed. */
export const failpoints = [
  "staged",
  "prepared",
  "armed",
  "journaled",
  "loaded",
  "read-back",
  "proved",
  "committed",
  "disarmed",
] as const;
export type Failpoint = (typeof failpoints)[number];

export interface Enforcement {
  readonly directory: string;
  readonly kernel: Kernel;
  readonly watchdog: Watchdog;
  readonly client: Pick<Client, "confirm">;
  readonly guard: Guard;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  readonly pass: (failpoint: Failpoint) => void;
  readonly stop: AbortSignal;
}

export type Enforced =
  | { readonly kind: "committed" }
  /** The kernel holds what it held, unless `loaded`: then it may hold the candidate, and the caller puts that right. */
  | { readonly kind: "refused"; readonly loaded: boolean; readonly refusal: Refusal }
  /** Told to stop before the candidate had proved itself. */
  | { readonly kind: "stopped"; readonly loaded: boolean; readonly refusal: Refusal };

/** From now to the watchdog's deadline; the last of it is for reverting. */
const revertReserveMs = 5_000;

/**
 * @param applied the candidate as it would be committed; the program's digest included
 * @param held what is committed now
 * @param left what of the program is loaded: what has not ended yet
 */
export async function enforce(
  parts: Enforcement,
  applied: Committed,
  program: Program,
  held: Slot | undefined,
  left: Program = program,
): Promise<Enforced> {
  const staged = await settleOutcome(async () =>
    stageSlot(parts.directory, applied, program, parts.now(), held, standaloneText(left)),
  );
  if (!staged.ok) return { kind: "refused", loaded: false, refusal: staged.refusal };
  const slot = staged.value;
  const progress = { loaded: false };
  const result = await settleOutcome(() => transact(parts, applied, left, slot, progress));
  if (result.ok) return { kind: "committed" };
  // What cannot be revoked on a disk that turned read-only stays pending, which boot and the next start do not believe.
  const revoked = await settleOutcome(async () => revokeSlot(parts.directory, slot));
  await waitSettled(parts.directory);
  const refusal = revoked.ok ? result.refusal : revoked.refusal;
  if (!progress.loaded) await settleOutcome(async () => closeJournal(parts.directory));
  return { kind: parts.stop.aborted ? "stopped" : "refused", loaded: progress.loaded, refusal };
}

/** @throws Refused at the first step that fails */
async function transact(
  { directory, kernel, watchdog, client, guard, now, pass, stop }: Enforcement,
  applied: Committed,
  program: Program,
  slot: SlotName,
  progress: { loaded: boolean },
): Promise<void> {
  pass("staged");
  const { seconds, probes } = guard.confirm;
  const up = systemClocks().boot() / 1000;
  const journal: Omit<Journal, "phase"> = {
    slot,
    seq: applied.seq,
    revision: applied.revision,
    guard_sha256: applied.guard_sha256,
    boot_id: readBootId(),
    deadline: up + seconds,
  };
  const left = seconds * 1000 - revertReserveMs;
  const until = AbortSignal.any([stop, AbortSignal.timeout(left)]);
  writeJournal(directory, { ...journal, phase: "PREPARED" });
  pass("prepared");
  await armWatchdog(watchdog, slot, journal.deadline, seconds);
  pass("armed");
  writeJournal(directory, { ...journal, phase: "ARMED" });
  pass("journaled");
  // A machine that slept, or was too busy, since the watchdog was armed: what it took back nobody would take back again.
  if (makeSlotSeal(directory, slot) !== "pending")
    throw new Refused("load_failed", "the watchdog reverted before the load; nothing was loaded");
  progress.loaded = true;
  const loaded = await kernel.update(program);
  if (!loaded.ok) {
    progress.loaded = loaded.touched;
    throw new Refused(loaded.refusal.code, loaded.refusal.message);
  }
  pass("loaded");
  writeJournal(directory, { ...journal, phase: "LOADED" });
  pass("read-back");
  const proved = await prove({ client, probes, now, tryMs: left / 4, stop: until });
  if (!proved.ok) throw new Refused(proved.refusal.code, proved.refusal.message);
  pass("proved");
  if (!commitSlot(directory, slot))
    throw new Refused("probe_failed", "the watchdog reverted first");
  pass("committed");
  // From here on the new ruleset stays: a journal that cannot be closed is closed at the next start.
  await settleOutcome(async () => closeJournal(directory));
  pass("disarmed");
}

async function armWatchdog(
  watchdog: Watchdog,
  slot: SlotName,
  deadline: number,
  seconds: number,
): Promise<void> {
  try {
    await watchdog.arm(slot, deadline, seconds);
  } catch {
    throw new Refused("load_failed", "the watchdog does not start; nothing was loaded");
  }
}
