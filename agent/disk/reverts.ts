/**
 * Reverts on disk, so that a restart neither forgets a barred seq nor how many there were in this hour. They belong to
 * the keys that signed what was reverted: a root with other keys begins anew.
 */
import { join } from "node:path";
import * as z from "zod";
import { Revision, Sha256 } from "#schema/primitives.ts";
import { isErrno, readOptional, writeDurable } from "./files.ts";
import { Refused } from "#agent/machine/refusal.ts";
import { noReverts, type Reverts } from "#agent/machine/state.ts";

const Kept = z.strictObject({
  /** Milliseconds since the Unix epoch, by this host's own clock. */
  at: z.array(z.number()).max(16),
  barred: z
    .strictObject({ seq: z.int().min(1), guard_sha256: Sha256, revision: Revision.default(0) })
    .nullable(),
  /** Of the root in force then; null from before this was written, or while there was none. */
  keys: Sha256.nullable().default(null),
});
type Kept = z.infer<typeof Kept>;

const pathOf = (directory: string): string => join(directory, "reverts.json");

/**
 * @param keys of the root in force; null while there is none
 * @param now milliseconds since the Unix epoch: a revert after it is no revert of this hour
 */
export function readReverts(directory: string, keys: string | null, now: number): Reverts {
  try {
    const text = readOptional(pathOf(directory));
    if (text === undefined) return noReverts;
    const kept = Kept.parse(JSON.parse(text.toString("utf8")));
    if (kept.keys !== null && keys !== null && kept.keys !== keys) return noReverts;
    return { at: kept.at.filter((at) => at <= now), barred: kept.barred };
  } catch {
    return noReverts; // torn: at worst a bad seq is tried, and reverted, once more
  }
}

/** @throws Refused `state_unwritable` */
export function writeReverts(
  directory: string,
  { at, barred }: Reverts,
  keys: string | null,
): void {
  try {
    writeDurable(pathOf(directory), JSON.stringify({ at: [...at], barred, keys } satisfies Kept));
  } catch (error) {
    if (isErrno(error)) throw new Refused("state_unwritable", `reverts: ${error.code}`);
    throw error;
  }
}
