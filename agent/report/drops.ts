/**
 * How many packets the ruleset in force has refused: the counters of its rules that drop or reject, and of no other.
 * Counters of rows that stay are carried over an apply, so the number only rises while one program is in force.
 */
import { listRefusalCounters } from "#core/render/index.ts";
import type { CounterReading } from "#schema/wire.ts";
import { readCommittedSlot } from "#agent/disk/slots.ts";
import { committedOf } from "#agent/machine/read.ts";
import type { State } from "#agent/machine/state.ts";

/**
 * Reads the committed program once, and again after a commit. Null while nothing is committed, or when none of its
 * counters was read, as where the kernel could not be asked or holds the closed ruleset.
 */
export function openDrops(
  directory: string,
): (state: State, counters: readonly CounterReading[]) => number | null {
  let known: { readonly program: string; readonly names: ReadonlySet<string> } | undefined;
  return (state, counters) => {
    const program = committedOf(state)?.program_sha256;
    if (program === undefined) return null;
    if (known?.program !== program) {
      const slot = readCommittedSlot(directory);
      if (slot?.applied.program_sha256 !== program) return null;
      known = { program, names: new Set(listRefusalCounters(slot.program)) };
    }
    const { names } = known;
    const read = counters.filter(({ name }) => names.has(name));
    return read.length === 0 ? null : read.reduce((sum, { packets }) => sum + packets, 0);
  };
}
