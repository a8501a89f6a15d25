/**
 * The control plane that simulated agents talk to. `Plane` is what a simulation asks of one, so that the same fleet can
 * drive the pure step alone or a real store; here is the pure one, which keeps in maps what a store keeps in rows.
 */
import {
  begin,
  computeNextReportSeconds,
  planWaves,
  step,
  type Candidate,
  type Effect,
  type Input,
  type RolloutState,
} from "#core/rollout/index.ts";
import type { Gates, Strategy } from "#schema/rollout.ts";
import type { Content, Published, Report } from "./agent.ts";

export interface Plane {
  readonly state: () => RolloutState;
  readonly published: (host: string, now: number) => Promise<Published>;
  /** A report as it leaves its host, whether or not it arrives. */
  readonly leave: (report: Report, now: number) => Sent;
  /**
   * Reports that have just arrived, in the order of their arrival.
   * @returns the answer to each: seconds until the next report that it would like; null when the usual hour will do
   */
  readonly hear: (sent: readonly Sent[], now: number) => Promise<readonly (number | null)[]>;
  /** What cron or a timer calls every minute. */
  readonly tick: (now: number) => Promise<void>;
  /** What all transitions have cost, in lines for people. */
  readonly cost: () => readonly string[];
}

export interface Sent {
  readonly report: Report;
  /** Its exact text; empty where no text is read. */
  readonly body: string;
}

export interface Fleet {
  readonly hosts: readonly Candidate[];
  readonly strategy: Strategy;
  readonly gates: Gates;
  /** When each host was last heard of before the rollout. */
  readonly lastReportAt: ReadonlyMap<string, number>;
}

const first: Published = { seq: 1, content: "old" };

export async function openPure(fleet: Fleet): Promise<Plane> {
  const published = new Map<string, Published>();
  const newest = new Map<string, Report>();
  const cost = { transitions: 0, entries: 0 };
  let state = begin({
    plan: { narrow: [], widen: planWaves(fleet.hosts, fleet.strategy) },
    pinned: [],
    states: new Map(),
    gates: fleet.gates,
    pollSeconds: 30,
    emergency: false,
    by: "operator",
  });

  const publish = (host: string, content: Content): void => {
    const before = published.get(host) ?? first;
    if (before.content !== content) published.set(host, { seq: before.seq + 1, content });
  };
  const lastReportAt = (host: string): number | null =>
    newest.get(host)?.receivedAt ?? fleet.lastReportAt.get(host) ?? null;

  const perform = (effect: Effect): void => {
    if (effect.kind === "release") return;
    for (const host of effect.hosts) publish(host, effect.kind === "assign" ? "new" : "old");
    if (effect.kind !== "assign") return;
    const entries = state.entries.map((entry) =>
      entry.standing === "assigned" && entry.seq === null
        ? {
            ...entry,
            seq: (published.get(entry.host) ?? first).seq,
            lastReportAt: lastReportAt(entry.host),
            baseline: 0,
          }
        : entry,
    );
    state = { ...state, entries };
  };

  const advance = (input: Input, now: number): void => {
    const outcome = step(state, input, now);
    if ("refused" in outcome) throw new Error(outcome.refused);
    if (outcome.state === state) return;
    const before = state.entries;
    state = outcome.state;
    cost.transitions += 1;
    cost.entries += state.entries.filter((entry, i) => entry !== before[i]).length;
    for (const effect of outcome.effects) perform(effect);
  };

  const place = new Map(state.entries.map(({ host }, i) => [host, i]));
  const nextReport = (host: string): number | null => {
    const entry = state.entries[place.get(host) ?? -1];
    return entry === undefined ? null : computeNextReportSeconds(entry, state);
  };

  return {
    state: () => state,
    published: (host) => Promise.resolve(published.get(host) ?? first),
    leave: (report) => ({ report, body: "" }),
    hear: async (sent, now) => {
      const fresh = sent.flatMap(({ report }) => {
        const known = newest.get(report.host);
        if (known !== undefined && known.n >= report.n) return [];
        const arrived = { ...report, receivedAt: now };
        newest.set(report.host, arrived);
        return [arrived];
      });
      if (fresh.some((report) => report.state === "reverted"))
        advance({ kind: "evidence", evidence: fresh }, now);
      return sent.map(({ report }) => nextReport(report.host));
    },
    tick: async (now) => advance({ kind: "evidence", evidence: [...newest.values()] }, now),
    cost: () => [`${cost.entries} entries written in ${cost.transitions} transitions`],
  };
}
