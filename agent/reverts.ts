/** Reverts on disk, so that a restart neither forgets a barred seq nor how many there were in this hour. */
import { join } from "node:path";
import * as z from "zod";
import { Sha256 } from "#schema/primitives.ts";
import { isErrno, readOptional, writeDurable } from "./persist.ts";
import { Refused } from "./refusal.ts";
import { noReverts, type Reverts } from "./state.ts";

const Kept = z.strictObject({
  at: z.array(z.number()).max(16),
  barred: z.strictObject({ seq: z.int().min(1), guard_sha256: Sha256 }).nullable(),
});

const pathOf = (directory: string): string => join(directory, "reverts.json");

export function readReverts(directory: string): Reverts {
  try {
    const text = readOptional(pathOf(directory));
    return text === undefined ? noReverts : Kept.parse(JSON.parse(text.toString("utf8")));
  } catch {
    return noReverts; // torn: at worst a bad seq is tried, and reverted, once more
  }
}

/** @throws Refused `state_unwritable` */
export function writeReverts(directory: string, reverts: Reverts): void {
  try {
    writeDurable(pathOf(directory), JSON.stringify(reverts));
  } catch (error) {
    if (isErrno(error)) throw new Refused("state_unwritable", `reverts: ${error.code}`);
    throw error;
  }
}
