/**
 * The control plane that simulated agents talk to. `Plane` is what a simulation asks of one, so that the same fleet can
 * drive the pure step alone or a real store; here is the pure one, which keeps in maps what a store keeps in rows.
 */
import {
  begin,
  nextReportSeconds,
  planWaves,
  step,
  type Candidate,
  type Effect,
  type Input,
  type RolloutState,
} from "#rollout/index.ts";
import type { Gates, Strategy } from "#schema/rollout.ts";
import type { Content, Published, Report } from "./agent.ts";

export interface Plane {
  readonly state: () => RolloutState;
  readonly published: (host: string, now: number) => Promise<Published>;
  /** Reports that have just arrived, in the order of their arrival. */
  readonly hear: (reports: readonly Report[], now: number) => Promise<void>;
  /** Seconds until the next report that it would like of a host; null when the usual hour will do. */
  readonly nextReport: (host: string) => number | null;
  /** What cron or a timer calls every minute. */
  readonly tick: (now: number) => Promise<void>;
  /** What all transitions have cost, in lines for people. */
  readonly cost: () => readonly string[];
}

export interface Fleet {
  readonly hosts: readonly Candidate[];
  readonly strategy: Strategy;
  readonly gates: Gates;
  /** When each host was last heard of before the rollout. */
  readonly heardAt: ReadonlyMap<string, number>;
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
  const heardAt = (host: string): number | null =>
    newest.get(host)?.receivedAt ?? fleet.heardAt.get(host) ?? null;

  const perform = (effect: Effect): void => {
    if (effect.kind === "release") return;
    for (const host of effect.hosts) publish(host, effect.kind === "assign" ? "new" : "old");
    if (effect.kind !== "assign") return;
    const entries = state.entries.map((entry) =>
      entry.standing === "assigned" && entry.seq === null
        ? {
            ...entry,
            seq: (published.get(entry.host) ?? first).seq,
            heardAt: heardAt(entry.host),
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

  return {
    state: () => state,
    published: (host) => Promise.resolve(published.get(host) ?? first),
    hear: async (reports, now) => {
      const fresh = reports.filter((report) => {
        const known = newest.get(report.host);
        if (known !== undefined && known.n >= report.n) return false;
        newest.set(report.host, report);
        return true;
      });
      if (fresh.some((report) => report.state === "reverted"))
        advance({ kind: "evidence", evidence: fresh }, now);
    },
    nextReport: (host) => {
      const entry = state.entries.find((each) => each.host === host);
      return entry === undefined ? null : nextReportSeconds(entry, state);
    },
    tick: async (now) => advance({ kind: "evidence", evidence: [...newest.values()] }, now),
    cost: () => [`${cost.entries} entries written in ${cost.transitions} transitions`],
  };
}
