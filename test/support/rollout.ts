/** Rollouts in tests: the store's part of a step (a higher seq for each assignment), and reports of hosts. */
import {
  begin,
  planWaves,
  step,
  type Beginning,
  type Candidate,
  type Effect,
  type Evidence,
  type Input,
  type RolloutState,
} from "#core/rollout/index.ts";
import { Gates, type Phase, Strategy } from "#schema/rollout.ts";
import type { AgentState } from "#schema/wire.ts";

const second = 1000;
/** Away from zero, so that hours before it are times too. */
export const start = 1_800_000_000_000;

export const gatesOf = (over: Partial<Gates> = {}): Gates => ({ ...Gates.parse({}), ...over });

export const plain = (host: string): Candidate => ({ host, roles: [], labels: {}, enforces: true });

export const hostNames = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, i) => `h${i}`);

export const wavesOf = (
  hosts: readonly Candidate[],
  strategy: Strategy = Strategy.parse({ kind: "canary" }),
) => planWaves(hosts, strategy);

const beginning = (over: Partial<Beginning> = {}): Beginning => ({
  plan: { narrow: [], widen: [["a"], ["b", "c"], ["d", "e", "f", "g"]] },
  pinned: [],
  states: new Map(),
  gates: gatesOf(),
  pollSeconds: 30,
  emergency: false,
  by: "alice",
  ...over,
});

export const newest = (host: string, over: Partial<Evidence> = {}): Evidence => ({
  host,
  receivedAt: start,
  state: "steady",
  appliedMode: "enforce",
  appliedSeq: 1,
  seenSeq: 1,
  revertedSeq: null,
  refusal: null,
  drift: 0,
  denyRate: 0,
  suspectedClone: false,
  heartbeats: true,
  ...over,
});

/** A rollout and what a store keeps beside it: the seq of each host, and when it was last heard of. */
export class Driven {
  state: RolloutState;
  now = start;
  readonly effects: Effect[] = [];
  readonly #said = new Map<string, Evidence>();
  readonly #seqs = new Map<string, number>();
  readonly heard = new Map<string, number>();

  constructor(over: Partial<Beginning> = {}) {
    this.state = begin(beginning(over));
  }

  /** What hosts had said of themselves before they were given anything; `steady` where nothing is said here. */
  readonly statesBefore = new Map<string, AgentState>();

  /** Undefined when it was refused, with the reason in `refused`. */
  refused: string | undefined;

  do(input: Input): readonly Effect[] {
    const outcome = step(this.state, input, this.now);
    this.refused = "refused" in outcome ? outcome.refused : undefined;
    if ("refused" in outcome) return [];
    this.state = outcome.state;
    for (const effect of outcome.effects) this.#store(effect);
    this.effects.push(...outcome.effects);
    return outcome.effects;
  }

  /** Time passes, in which every host that committed, and is not quiet, goes on reporting. */
  tick(seconds = 0): readonly Effect[] {
    this.now += seconds * second;
    return this.hear(...this.heartbeats());
  }

  /** Hosts that committed and then fell silent. */
  readonly quiet = new Set<string>();

  /** What a store has as the newest of every host that committed. */
  heartbeats(): readonly Evidence[] {
    return this.standing("committed").flatMap((host) => {
      const report = this.quiet.has(host) ? this.#said.get(host) : this.commit(host);
      return report === undefined ? [] : [report];
    });
  }

  say(
    kind: "pause" | "resume" | "halt" | "rollback" | "skip" | "force",
    reason = "because",
  ): readonly Effect[] {
    return this.do({ kind, by: "alice", reason });
  }

  hear(...evidence: readonly Evidence[]): readonly Effect[] {
    for (const report of evidence) this.#said.set(report.host, report);
    return this.do({ kind: "evidence", evidence });
  }

  /** All assigned hosts of the current phase report that they hold what they were given. */
  commitAll(over: Partial<Evidence> = {}): readonly Effect[] {
    return this.hear(...this.standing("assigned").map((host) => this.commit(host, over)));
  }

  commit(host: string, over: Partial<Evidence> = {}): Evidence {
    const seq = this.seq(host);
    return newest(host, { receivedAt: this.now, appliedSeq: seq, seenSeq: seq, ...over });
  }

  revert(host: string): Evidence {
    const seq = this.seq(host);
    return newest(host, {
      receivedAt: this.now,
      state: "reverted",
      appliedSeq: seq - 1,
      seenSeq: seq,
      revertedSeq: seq,
    });
  }

  seq(host: string): number {
    return this.#seqs.get(host) ?? 1;
  }

  standing(...wanted: readonly string[]): readonly string[] {
    return this.state.entries
      .filter(({ phase, standing }) => phase === this.state.phase && wanted.includes(standing))
      .map(({ host }) => host);
  }

  standingOf(host: string, phase: Phase = this.state.phase): string | undefined {
    return this.state.entries.find((entry) => entry.host === host && entry.phase === phase)
      ?.standing;
  }

  /** Every host that was ever given the content of `phase`. */
  given(phase: Phase): ReadonlySet<string> {
    return new Set(
      this.effects.flatMap((effect) =>
        effect.kind === "assign" && effect.phase === phase ? effect.hosts : [],
      ),
    );
  }

  #store(effect: Effect): void {
    if (effect.kind === "release") return;
    for (const host of effect.hosts) this.#seqs.set(host, this.seq(host) + 1);
    if (effect.kind === "restore") return;
    const phase = effect.kind === "assign" ? effect.phase : "widen";
    const given = new Set(effect.hosts);
    const entries = this.state.entries.map((entry) =>
      entry.phase === phase &&
      entry.assignedAt !== null &&
      entry.seq === null &&
      given.has(entry.host)
        ? {
            ...entry,
            seq: this.seq(entry.host),
            lastReportAt: this.heard.get(entry.host) ?? this.now,
            stateBefore: this.statesBefore.get(entry.host) ?? "steady",
            baseline: 0,
          }
        : entry,
    );
    this.state = { ...this.state, entries };
  }
}

type Content = "old" | "narrowed" | "widened";

/** What honest hosts run, by what they were given and what they say that they did with it. */
export class Kernels {
  readonly #served = new Map<string, Content>();
  readonly #runs = new Map<string, Content>();

  runs(host: string): Content {
    return this.#runs.get(host) ?? "old";
  }

  give(effects: readonly Effect[]): void {
    for (const effect of effects)
      for (const host of effect.kind === "release" ? [] : effect.hosts)
        this.#served.set(host, contentOf(effect));
  }

  commit(names: readonly string[]): void {
    for (const host of names) this.#runs.set(host, this.#served.get(host) ?? "old");
  }

  /** A host takes back what it did not commit, and nothing else. */
  holds = (host: string): boolean => this.runs(host) === (this.#served.get(host) ?? "old");
}

const contentOf = (effect: Effect): Content => {
  if (effect.kind === "restore") return "old";
  return effect.kind === "assign" && effect.phase === "widen" ? "widened" : "narrowed";
};
