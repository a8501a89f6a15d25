/**
 * Rulesets on disk: `slots/{a,b}/{ruleset.nft, program.json, meta.json, seal}`. The seal makes a slot committed: it
 * bears the digest of `ruleset.nft` and a number that rises. A candidate goes into the slot beside the newest committed
 * one, with its seal still pending. To commit is to rename `seal.pending` to `seal`. To revert is to rename it too: an
 * agent to `seal.reverted`, at once; a watchdog to `seal.revoked`, loads what was before, and then to `seal.reverted`.
 * The first rename happens once, so of an agent and its watchdog exactly one has its way.
 *
 * `ruleset.nft` loads by itself over whatever our table holds: sh and nft are enough (agent/backend/nft/scripts.ts).
 */
import { existsSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import * as z from "zod";
import { emptyInventory, type Program, transaction } from "#core/render/index.ts";
import { Revision, Sha256 } from "#schema/primitives.ts";
import { programSha256 } from "./digest.ts";
import {
  isErrno,
  makeDirectory,
  readOptional,
  removeDurable,
  syncDirectory,
  writeDurable,
} from "./files.ts";
import { Refused } from "#agent/machine/refusal.ts";
import type { Committed } from "#agent/machine/state.ts";
import { sha256 } from "./digest.ts";

const Meta = z.strictObject({
  /** Rises with every commit; tells the newer slot. */
  n: z.int().min(1),
  staged_at: z.iso.datetime(),
  applied: z.strictObject({
    seq: z.int().min(1),
    revision: Revision,
    bundle_sha256: Sha256,
    mode: z.enum(["enforce", "closed"]),
    program_sha256: Sha256,
    guard_sha256: Sha256,
    renderer: z.string(),
  }),
});
type Meta = z.infer<typeof Meta>;

export interface Slot extends Meta {
  readonly name: SlotName;
  readonly program: Program;
}

export const slotNames = ["a", "b"] as const;
export type SlotName = (typeof slotNames)[number];

const slotPath = (directory: string, name: SlotName): string => join(directory, "slots", name);

/** Text that loads over anything: our table is deleted and made anew, so it needs no look at what is there. */
export const standaloneText = (program: Program): string =>
  transaction(program, { ...emptyInventory, foreign: true });

/** The newest whole slot, or undefined before the first commit. */
export function readCommittedSlot(directory: string): Slot | undefined {
  return slotNames
    .map((name) => readSlot(directory, name))
    .filter((slot) => slot !== undefined)
    .toSorted((a, b) => b.n - a.n)[0];
}

/** This host has committed once; written then, and gone only with `leave`. */
export const enforcedFile = (directory: string): string => join(directory, "enforced");

/** Whether a host has ever committed: then it is never treated as new, even with both slots torn or gone. */
export const everCommitted = (directory: string): boolean =>
  existsSync(enforcedFile(directory)) ||
  slotNames.some((name) => existsSync(join(slotPath(directory, name), "seal")));

/**
 * Writes a candidate into the slot that is not committed, or where both are, beside the newest, under the next number.
 * @param held the newest whole slot, where the caller has read it already
 * @param text what boot loads for it, where that is not the whole program
 * @throws Refused `state_unwritable`
 */
export function stageSlot(
  directory: string,
  applied: Committed,
  program: Program,
  now: number,
  held: Slot | undefined = readCommittedSlot(directory),
  text: string = standaloneText(program),
): SlotName {
  // Boot compares the seals alone. A slot that only sh can read any more must not be newer than what is committed next.
  const [a, b] = [sealNumber(directory, "a"), sealNumber(directory, "b")];
  const name = (held?.name ?? (a > b ? "a" : "b")) === "a" ? "b" : "a";
  const n = Math.max(held?.n ?? 0, a, b) + 1;
  const path = slotPath(directory, name);
  const meta: Meta = { n, staged_at: new Date(now).toISOString(), applied };
  writeOrRefuse(() => {
    makeDirectory(path);
    for (const seal of ["seal", "seal.pending", "seal.revoked", "seal.reverted"])
      if (existsSync(join(path, seal))) removeDurable(join(path, seal));
    writeDurable(join(path, "ruleset.nft"), text);
    writeDurable(join(path, "program.json"), JSON.stringify(program));
    writeDurable(join(path, "meta.json"), `${JSON.stringify(meta, null, 2)}\n`);
    writeDurable(join(path, "seal.pending"), `${sha256(text)} ${n}\n`);
  });
  return name;
}

/** The number that a committed slot's seal bears, whatever the rest of the slot is worth; 0 without one. */
function sealNumber(directory: string, name: SlotName): number {
  const seal = readOptional(join(slotPath(directory, name), "seal"))?.toString("utf8") ?? "";
  return Number(/^[0-9a-f]{64} (\d{1,15})\n$/.exec(seal)?.[1] ?? 0);
}

/** @returns false when the watchdog was first. @throws Refused `state_unwritable` */
export function commitSlot(directory: string, name: SlotName): boolean {
  const won = reseal(directory, name, "seal.pending", "seal");
  if (won && !existsSync(enforcedFile(directory)))
    writeOrRefuse(() => writeDurable(enforcedFile(directory), ""));
  return won;
}

/** @returns false when the slot was not pending: it is committed, or the watchdog was first. @throws Refused `state_unwritable` */
export const revokeSlot = (directory: string, name: SlotName): boolean =>
  reseal(directory, name, "seal.pending", "seal.reverted");

/** How a staged slot stands. `revoked`: the watchdog is at work on it. */
export function makeSlotSeal(
  directory: string,
  name: SlotName,
): "pending" | "committed" | "revoked" | "reverted" | "none" {
  const has = (seal: string): boolean => existsSync(join(slotPath(directory, name), seal));
  if (has("seal.pending")) return "pending";
  if (has("seal.revoked")) return "revoked";
  if (has("seal.reverted")) return "reverted";
  return has("seal") ? "committed" : "none";
}

function reseal(directory: string, name: SlotName, from: string, to: string): boolean {
  const path = slotPath(directory, name);
  // rename(2) on a read-only disk says EROFS also where there is nothing to rename.
  if (!existsSync(join(path, from))) return false;
  try {
    renameSync(join(path, from), join(path, to));
  } catch (error) {
    if (isErrno(error) && error.code === "ENOENT") return false;
    if (isErrno(error)) throw new Refused("state_unwritable", `slots: ${error.code}`);
    throw error;
  }
  writeOrRefuse(() => syncDirectory(dirname(join(path, to))));
  return true;
}

function writeOrRefuse(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (isErrno(error)) throw new Refused("state_unwritable", `slots: ${error.code}`);
    throw error;
  }
}

function readSlot(directory: string, name: SlotName): Slot | undefined {
  const [seal, meta, program, text] = ["seal", "meta.json", "program.json", "ruleset.nft"].map(
    (leaf) => readOptional(join(slotPath(directory, name), leaf)),
  );
  if (seal === undefined || meta === undefined || program === undefined || text === undefined)
    return undefined;
  try {
    const parsed = Meta.parse(JSON.parse(meta.toString("utf8")));
    // Not parsed but recognised: a program is what gives the very digest that was committed.
    const read = JSON.parse(program.toString("utf8")) as Program;
    const whole =
      seal.toString("utf8") === `${sha256(text)} ${parsed.n}\n` &&
      programSha256(read) === parsed.applied.program_sha256;
    return whole ? { ...parsed, name, program: read } : undefined;
  } catch {
    return undefined; // torn
  }
}
