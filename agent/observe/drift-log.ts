/**
 * What is remembered of drift since the agent started: how often, the last one, and whether somebody fights us over the
 * table. For reports, status and the event log; decides nothing about repair.
 */
import type { Drift } from "#schema/wire.ts";

/** More repairs than `times` within `withinMs` are a fight, not an accident. */
const contended = { times: 10, withinMs: 600_000 } as const;

const changesKeptMax = 20;
const changeLengthMax = 200;

export interface Drifted {
  /** Who made the change, when the kernel said so: a process's name. */
  readonly by: string | null;
  readonly changes: readonly string[];
  readonly repaired: boolean;
}

export class DriftLog {
  #count = 0;
  #last: Drift["last"] | undefined;
  #recent: readonly number[] = [];
  #news = false;

  /** `now` in milliseconds since the Unix epoch. @returns what a report will say */
  record(drifted: Drifted, now: number): Drift {
    this.#count += 1;
    this.#recent = [...this.#recent, now].slice(-contended.times - 1);
    this.#news = true;
    this.#last = {
      at: new Date(now).toISOString(),
      by: drifted.by,
      changes: drifted.changes
        .slice(0, changesKeptMax)
        .map((text) => text.slice(0, changeLengthMax)),
      total: drifted.changes.length,
      repaired: drifted.repaired,
    };
    return { count: this.#count, contended: this.isContended(now), last: this.#last };
  }

  isContended(now: number): boolean {
    const [first] = this.#recent;
    return (
      this.#recent.length > contended.times &&
      first !== undefined &&
      now - first <= contended.withinMs
    );
  }

  /** Null when nothing drifted since the start. */
  summarizeDrift(now: number): Drift | null {
    if (this.#last === undefined) return null;
    return { count: this.#count, contended: this.isContended(now), last: this.#last };
  }

  /** Whether something was recorded since this was last asked. */
  takeNews(): boolean {
    const news = this.#news;
    this.#news = false;
    return news;
  }
}

/** One line for the log: what, by whom, and whether it is as it should be again. */
export function describeDrift({ count, contended: fight, last }: Drift): string {
  const who = last.by === null ? "" : ` by ${last.by}`;
  const more = last.total > 1 ? ` and ${last.total - 1} more` : "";
  const done = last.repaired ? "repaired" : "not repaired";
  return `drift ${count}${who}: ${last.changes[0] ?? "changed"}${more}; ${done}${fight ? "; contended" : ""}`;
}
