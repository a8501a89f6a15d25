/**
 * A fleet of simulated agents under one rollout, over a network that loses, repeats and delays their reports. Judges by
 * what truly happened on the hosts, never by what the control plane believes: a wave has earned the next one when its
 * hosts hold the new content.
 */
import type { Candidate, RolloutState } from "#core/rollout/index.ts";
import type { Gates, Strategy } from "#schema/rollout.ts";
import { Agent, type Published } from "./agent.ts";
import { type Fleet, openPure, type Plane, type Sent } from "./plane.ts";
import { type Random, randomFrom } from "./random.ts";

export interface Options {
  readonly hosts: number;
  /** Shares from 0 to 1. */
  readonly poisoned: number;
  readonly lost: number;
  readonly duplicate: number;
  readonly late: number;
  readonly offline: number;
  readonly seed: number;
  readonly strategy: Strategy;
  readonly gates: Gates;
}

export interface Outcome {
  readonly status: string;
  readonly reason: string;
  readonly waves: readonly number[];
  /** Hosts that had the new content in their kernel, for however long. */
  readonly took: number;
  /** Of these, hosts beyond the first wave that had not earned the next one: more than one wave. Must be 0. */
  readonly beyond: number;
  /** The largest number of hosts that took it in a wave that had not earned the next one. */
  readonly exposed: number;
  /** Hosts that were given it while the rollout was halted or paused. Must be 0. */
  readonly grown: number;
  /** Simulated milliseconds: from the first host that took itself back to the halt, and to the last host's old content. */
  readonly haltMs: number | null;
  readonly healedMs: number | null;
  readonly endedMs: number;
  /** What the transitions have cost, in lines for people. */
  readonly cost: readonly string[];
}

const start = 1_800_000_000_000;
const tickMs = 5000;
const pollTicks = 6;
const minuteTicks = 12;
const dayTicks = 24 * 60 * minuteTicks;
const lateTicks = 60;
const roles = 10;

/** @param told each simulated minute, as a whole fleet takes minutes of one's own time */
export async function simulateFleet(
  options: Options,
  open: (fleet: Fleet) => Promise<Plane> = openPure,
  told: (minute: number, state: RolloutState) => void = () => undefined,
): Promise<Outcome> {
  const random = randomFrom(options.seed);
  const candidates = Array.from({ length: options.hosts }, (_, i): Candidate => ({
    host: `host-${i}`,
    roles: [`role-${i % roles}`],
    labels: {},
    enforces: true,
  }));
  const agents = candidates.map(({ host }) => new Agent(host, random() < options.poisoned, start));
  const offline = new Set(
    candidates.map(({ host }) => host).filter(() => random() < options.offline),
  );
  const lastReportAt = new Map(
    candidates.map(({ host }) => [host, start - (offline.has(host) ? 86_400_000 : 60_000)]),
  );
  const { strategy, gates } = options;
  const plane = await open({ hosts: candidates, strategy, gates, lastReportAt });
  return new Simulation(options, random, agents, offline, plane).run(told);
}

class Simulation {
  readonly #options: Options;
  readonly #random: Random;
  readonly #agents: readonly Agent[];
  readonly #byName: ReadonlyMap<string, Agent>;
  readonly #offline: ReadonlySet<string>;
  readonly #plane: Plane;
  readonly #wires = new Map<number, Sent[]>();
  readonly #given = new Set<string>();
  readonly #beyond = new Set<string>();
  #grown = 0;
  #revertedAt: number | null = null;
  #haltedAt: number | null = null;

  constructor(
    options: Options,
    random: Random,
    agents: readonly Agent[],
    offline: ReadonlySet<string>,
    plane: Plane,
  ) {
    this.#options = options;
    this.#random = random;
    this.#agents = agents;
    this.#byName = new Map(agents.map((agent) => [agent.host, agent]));
    this.#offline = offline;
    this.#plane = plane;
  }

  async run(told: (minute: number, state: RolloutState) => void): Promise<Outcome> {
    for (let tick = 0; tick < dayTicks; tick += 1) {
      const now = start + tick * tickMs;
      const before = this.#plane.state().status;
      const arrived = this.#wires.get(tick) ?? [];
      this.#wires.delete(tick);
      if (arrived.length > 0) await this.#arrive(arrived, now);
      if (tick % minuteTicks === 0) {
        await this.#plane.tick(now);
        told(tick / minuteTicks, this.#plane.state());
      }
      this.#watch(before, now);
      if (this.#isOver()) return this.#outcome(now);
      const due = this.#agents.filter(
        ({ host }, i) => i % pollTicks === tick % pollTicks && !this.#offline.has(host),
      );
      const answers = await Promise.all(due.map(({ host }) => this.#plane.published(host, now)));
      for (const [i, published] of answers.entries()) this.#poll(due[i], published, tick, now);
    }
    return this.#outcome(start + dayTicks * tickMs);
  }

  /** Each is answered, and its agent hears the answer to that very report. */
  async #arrive(sent: readonly Sent[], now: number): Promise<void> {
    const answers = await this.#plane.hear(sent, now);
    for (const [i, { report }] of sent.entries())
      this.#byName.get(report.host)?.acknowledge(report.n, now, answers[i] ?? null);
  }

  #poll(agent: Agent | undefined, published: Published, tick: number, now: number): void {
    const report = agent?.poll(published, now);
    if (report === undefined) return;
    if (report.state === "reverted") this.#revertedAt ??= now;
    const sent = this.#plane.leave(report, now);
    if (this.#random() < this.#options.lost) return;
    const copies = this.#random() < this.#options.duplicate ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      const late = this.#random() < this.#options.late ? Math.floor(this.#random() * lateTicks) : 0;
      const at = tick + 1 + late;
      const wire = this.#wires.get(at);
      if (wire === undefined) this.#wires.set(at, [sent]);
      else wire.push(sent);
    }
  }

  /** What was given since the last look, and whether the hosts before it had earned that. */
  #watch(before: string, now: number): void {
    const state = this.#plane.state();
    if (state.status === "halted" || state.status === "rolled_back") this.#haltedAt ??= now;
    const fresh = state.entries.filter(
      (entry) => entry.assignedAt !== null && !this.#given.has(entry.host),
    );
    if (fresh.length === 0) return;
    if (before !== "running" && before !== "awaiting_approval" && state.status !== "running")
      this.#grown += fresh.length;
    const unearned = this.#firstUnearned();
    for (const { host, wave } of fresh) {
      this.#given.add(host);
      if (wave > unearned) this.#beyond.add(host);
    }
  }

  /** The first wave of which, in truth, too few hosts hold the new content. */
  #firstUnearned(): number {
    const { min_committed_percent: least } = this.#options.gates;
    const waves = this.#byWave();
    const found = waves.findIndex((wave, i) => {
      const held = wave.filter(({ applied }) => applied.content === "new").length;
      return held * 100 < wave.length * (i === 0 && waves.length > 1 ? 100 : least);
    });
    return found < 0 ? waves.length : found + 1;
  }

  #byWave(): readonly (readonly Agent[])[] {
    const waves: Agent[][] = [];
    for (const { host, wave } of this.#plane.state().entries) {
      const agent = this.#byName.get(host);
      if (agent !== undefined) (waves[wave - 1] ??= []).push(agent);
    }
    return waves;
  }

  #isOver(): boolean {
    const { status } = this.#plane.state();
    if (status === "completed" || status === "paused") return true;
    if (status === "halted") return !this.#options.gates.auto_rollback;
    return (
      status === "rolled_back" && this.#agents.every(({ applied }) => applied.content === "old")
    );
  }

  #outcome(now: number): Outcome {
    const state = this.#plane.state();
    const waves = this.#byWave();
    const since = (at: number | null): number | null =>
      at === null || this.#revertedAt === null ? null : at - this.#revertedAt;
    return {
      status: state.status,
      reason: state.reason,
      waves: waves.map((wave) => wave.length),
      took: this.#agents.filter(({ tookNew }) => tookNew).length,
      beyond: this.#beyond.size,
      exposed: (waves[state.wave - 1] ?? []).filter(({ tookNew }) => tookNew).length,
      grown: this.#grown,
      haltMs: since(this.#haltedAt),
      healedMs: state.status === "rolled_back" ? since(now) : null,
      endedMs: now - start,
      cost: this.#plane.cost(),
    };
  }
}
