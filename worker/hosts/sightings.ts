/**
 * Which hosts poll, and when each did last: remembered by this process poll by poll, and written down together every
 * two minutes at most. It decides nothing but what people are told of a host that fell silent.
 */
import type { Ports } from "#worker/ports/index.ts";
import { readSightings, sightingStatements } from "./sighting-rows.ts";

const writtenEveryMs = 120_000;
/** Hosts of one process between two writes; beyond it the ones seen since are told by other processes, or later. */
const rememberedMax = 100_000;

export interface Sightings {
  saw(host: string): void;
  /** Milliseconds since the Unix epoch: by this process and by what was written; hosts never seen are left out. */
  lastOf(hosts: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** Writes what was seen since the last time, if that is two minutes ago; undefined when nothing is due. */
  writeDue(): Promise<void> | undefined;
}

/** How much older than the truth a time may be. */
export const sightingSlackMs = 2 * writtenEveryMs;

export function openSightings({ sql, clock }: Pick<Ports, "sql" | "clock">): Sightings {
  const known = new Map<string, Sighting>();
  let unwritten: Sighting[] = [];
  let writtenAt = Number.NEGATIVE_INFINITY;
  return {
    // The hottest write there is: one look-up a poll.
    saw(host) {
      let sighting = known.get(host);
      if (sighting === undefined) {
        if (known.size >= rememberedMax) return;
        sighting = { host, at: 0, isUnwritten: false };
        known.set(host, sighting);
      }
      sighting.at = clock.now();
      if (sighting.isUnwritten) return;
      sighting.isUnwritten = true;
      unwritten.push(sighting);
    },
    async lastOf(hosts) {
      const last = new Map(await readSightings(sql, hosts));
      for (const host of hosts) {
        const here = known.get(host)?.at;
        if (here !== undefined) last.set(host, Math.max(here, last.get(host) ?? 0));
      }
      return last;
    },
    writeDue() {
      const now = clock.now();
      if (unwritten.length === 0 || Math.abs(now - writtenAt) < writtenEveryMs) return undefined;
      const seen = unwritten;
      unwritten = [];
      writtenAt = now;
      for (const sighting of seen) sighting.isUnwritten = false;
      const times = new Map(seen.map(({ host, at }) => [host, at]));
      return sql.batch([...sightingStatements(sql, times)]).then(
        () => undefined,
        (error: unknown) => {
          for (const sighting of seen) {
            if (sighting.isUnwritten) continue;
            sighting.isUnwritten = true;
            unwritten.push(sighting);
          }
          throw error;
        },
      );
    },
  };
}

/** When a host was seen last, in milliseconds since the Unix epoch; changed in place. */
interface Sighting {
  readonly host: string;
  at: number;
  isUnwritten: boolean;
}
