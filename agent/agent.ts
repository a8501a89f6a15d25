/**
 * One agent's cycle: interprets the effects of agent/state.ts with the rooms that can carry them out, one after the
 * other. Decides nothing itself; every outcome goes back into the state machine as an event.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Program, render, renderClosed, rendererVersion } from "#render/index.ts";
import type { CutFlows } from "./apply/conntrack.ts";
import { closedRules, type Rules } from "./apply/flows.ts";
import { admit, type LoadedGuard, loadGuard } from "./guard/index.ts";
import type { HostIdentity } from "./identity.ts";
import type { Kernel } from "./kernel.ts";
import type { DriftLog } from "./observe/drift-log.ts";
import { isErrno } from "./persist.ts";
import { type Outcome, outcome, type Refusal, Refused } from "./refusal.ts";
import { type DatedRefusal, describeHost, nextReportNumber, reportIntervalMs } from "./report.ts";
import { committedSlot, commitSlot, everCommitted } from "./slots.ts";
import { type Candidate, type Committed, type Effect, type Event, type State, step } from "./state.ts";
import { writeStatus } from "./status.ts";
import type { Client } from "./transport/client.ts";
import type { Trust, TrustedBundle } from "./trust/index.ts";

export interface Parts {
  readonly directory: string;
  readonly guardPath: string;
  readonly identity: HostIdentity;
  readonly url: string;
  readonly closedFirst: boolean;
  /** Milliseconds for everything one cycle asks of the network. */
  readonly cycleMs: number;
  readonly trust: Outcome<Trust>;
  readonly client: Client;
  readonly kernel: Kernel;
  readonly drift: DriftLog;
  /** Ends the flows that `now` does not allow and `before` did. */
  readonly cutFlows: (now: Rules, before: Rules | undefined) => Promise<CutFlows>;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  readonly log: (line: string) => void;
}

/** How a cycle went, for the pace of the next one and for `once`. */
export interface Cycle {
  readonly state: State;
  /** The last refusal of this cycle, if there was one. */
  readonly refusal: Refusal | undefined;
  /** True when the control plane answered with something believed, new or unchanged. */
  readonly believed: boolean;
  readonly pollAfter: string | undefined;
}

/** A person closed this host; the file stays until `closed --lift`. */
export const holdFile = (directory: string): string => join(directory, "closed");

export class Agent {
  readonly #parts: Parts;
  #state: State = { kind: "unenrolled" };
  #since: string;
  #lastRefusal: DatedRefusal | null = null;
  #unreported: DatedRefusal | null = null;
  #refusal: Refusal | undefined;
  #believed = false;
  #pollAfter: string | undefined;
  #generation: string | null = null;
  /** What the committed ruleset means, once it is known. */
  #rules: Rules | undefined;
  #guardSha256: string | null = null;
  #reportDue = true;
  #reportedAt = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#since = new Date(parts.now()).toISOString();
  }

  get state(): State {
    return this.#state;
  }

  /** One cycle: wake, poll, and whatever follows from that. Network waits end with `stop`. */
  async cycle(stop: AbortSignal): Promise<Cycle> {
    this.#refusal = undefined;
    this.#believed = false;
    if (this.#parts.drift.takeNews()) this.#reportDue = true;
    const event = this.#state.kind === "unenrolled" ? await this.#started() : this.#woke();
    await this.#dispatch(event, stop);
    if (this.#reportDue || this.#parts.now() - this.#reportedAt >= reportIntervalMs) await this.#report(stop);
    this.#writeStatus();
    return {
      state: this.#state,
      refusal: this.#refusal,
      believed: this.#believed,
      pollAfter: this.#pollAfter,
    };
  }

  async #started(): Promise<Event> {
    const { directory, kernel, closedFirst, now } = this.#parts;
    const trust = this.#trust();
    this.#generation = trust?.hint().generation ?? null;
    this.#rules = await this.#rulesBefore();
    return {
      kind: "started",
      applied: committedSlot(directory)?.applied ?? null,
      leaseEndsAt: trust?.held()?.leaseEndsAt ?? null,
      table: await kernel.table(),
      hold: existsSync(holdFile(directory)),
      // Slots that exist but are torn are no fresh start: without a table such a host closes.
      closedFirst: closedFirst || everCommitted(directory),
      now: now(),
    };
  }

  /** What the committed ruleset means, where the bundle it came from is still held. */
  async #rulesBefore(): Promise<Rules | undefined> {
    const held = this.#trust()?.held();
    if (held === undefined || committedSlot(this.#parts.directory)?.applied.bundle_sha256 !== held.sha256)
      return undefined;
    const guard = await this.#guard();
    return guard === undefined ? undefined : rulesOf(held, guard);
  }

  #woke(): Event {
    return { kind: "woke", hold: existsSync(holdFile(this.#parts.directory)), now: this.#parts.now() };
  }

  /** Steps until nothing follows. Bounded by the state machine: no event of an effect leads back to a poll. */
  async #dispatch(first: Event, stop: AbortSignal): Promise<void> {
    const events: Event[] = [first];
    for (let event = events.shift(); event !== undefined; event = events.shift()) {
      const before = this.#state.kind;
      const [next, effects] = step(this.#state, event);
      this.#state = next;
      if (next.kind !== before) this.#entered(next.kind);
      for (const effect of effects) {
        const follows = await this.#perform(effect, stop);
        if (follows !== undefined) events.push(follows);
      }
    }
  }

  async #perform(effect: Effect, stop: AbortSignal): Promise<Event | undefined> {
    switch (effect.kind) {
      case "poll":
        return this.#poll(stop);
      case "apply":
        return this.#apply(effect.candidate);
      case "record":
        return this.#record(effect.candidate);
      case "restore":
        return this.#restore();
      case "close":
        return this.#close();
      case "report":
        this.#reportDue = true;
        return undefined;
    }
  }

  async #poll(stop: AbortSignal): Promise<Event> {
    const polled = await outcome(() => this.#ask(stop));
    const now = this.#parts.now();
    if (!polled.ok) {
      this.#refuse(polled.refusal);
      return { kind: "refused", now };
    }
    this.#believed = true;
    const guard = await this.#guard();
    return {
      kind: "trusted",
      candidate: candidateOf(polled.value),
      leaseEndsAt: polled.value.leaseEndsAt,
      guard: guard?.sha256 ?? null,
      renderer: rendererVersion,
      now,
    };
  }

  /** @returns what is believed now, new or held. @throws Refused */
  async #ask(stop: AbortSignal): Promise<TrustedBundle> {
    const { trust: opened, client, cycleMs, now: clock } = this.#parts;
    if (!opened.ok) throw new Refused(opened.refusal.code, opened.refusal.message);
    const trust = opened.value;
    const now = clock();
    const held = trust.held();
    const hint = trust.hint();
    // Only what was applied is claimed with an ETag: a failed apply is fetched again (OPA #2220).
    const applied = held !== undefined && committed(this.#state)?.seq === held.custom.seq;
    const leaseStart = hint.accepted_at ?? 0;
    const reply = await client.poll(
      {
        seen: trust.seen(),
        bundle: held?.sha256,
        etag: applied ? hint.etag : null,
        generation: applied ? this.#generation : null,
        renew: held !== undefined && now > leaseStart + (held.leaseEndsAt - leaseStart) / 2,
      },
      now,
      AbortSignal.any([stop, AbortSignal.timeout(cycleMs)]),
    );
    this.#pollAfter = reply.pollAfter;
    if (reply.kind === "unchanged") {
      if (held === undefined || !applied)
        throw new Refused("response_malformed", "304 without If-None-Match");
      this.#generation = reply.generation;
      return held;
    }
    const accepted = await trust.accept(reply.update, { ...reply.hint, accepted_at: now }, now);
    if (!accepted.ok) throw new Refused(accepted.refusal.code, accepted.refusal.message);
    this.#generation = reply.hint.generation;
    return accepted.value;
  }

  async #apply(candidate: Candidate): Promise<Event> {
    const guard = await this.#guard();
    const bundle = this.#trust()?.held();
    const now = this.#parts.now();
    if (guard === undefined || bundle?.custom.seq !== candidate.seq)
      return { kind: "failed", touched: false, now };
    const program = await outcome(async () => programOf(bundle, guard));
    if (!program.ok) return this.#failed(program.refusal, false);
    const loaded = await this.#parts.kernel.load(program.value);
    if (!loaded.ok) return this.#failed(loaded.refusal, loaded.touched);
    const applied: Committed = {
      ...candidate,
      program_sha256: loaded.programSha256,
      guard_sha256: guard.sha256,
      renderer: rendererVersion,
    };
    const event = await this.#commit(applied, program.value, true);
    if (event.kind === "committed") await this.#cutFlows(rulesOf(bundle, guard));
    return event;
  }

  /** The rules are in force already: what cannot be cut is said, and fails nothing. */
  async #cutFlows(now: Rules): Promise<void> {
    const before = this.#rules;
    this.#rules = now;
    const done = await this.#parts.cutFlows(now, before);
    if (!done.ok) this.#parts.log(`flows that lost their grant may go on: ${done.why}`);
    else if (done.cut > 0) this.#parts.log(`cut ${done.cut} flows that lost their grant`);
  }

  #record(candidate: Candidate): Promise<Event> {
    const slot = committedSlot(this.#parts.directory);
    if (slot === undefined) return Promise.resolve(this.#failed(torn, false));
    return this.#commit({ ...slot.applied, ...candidate }, slot.program, false);
  }

  async #commit(applied: Committed, program: Program, touched: boolean): Promise<Event> {
    const { directory, now } = this.#parts;
    const written = await outcome(async () => commitSlot(directory, applied, program, now()));
    if (!written.ok) return this.#failed(written.refusal, touched);
    this.#parts.log(`committed seq ${applied.seq}, revision ${applied.revision}`);
    return { kind: "committed", applied, now: now() };
  }

  async #restore(): Promise<Event> {
    const slot = committedSlot(this.#parts.directory);
    if (slot === undefined) this.#refuse(torn);
    const loaded = slot === undefined ? undefined : await this.#parts.kernel.load(slot.program);
    if (loaded?.ok === false) this.#refuse(loaded.refusal);
    return { kind: loaded?.ok === true ? "restored" : "restore-failed", now: this.#parts.now() };
  }

  async #close(): Promise<Event> {
    const guard = await this.#guard();
    const loaded = guard === undefined ? undefined : await this.#parts.kernel.load(renderClosed(guard.guard));
    if (loaded?.ok === false) this.#refuse(loaded.refusal);
    return { kind: loaded?.ok === true ? "closed" : "close-failed", now: this.#parts.now() };
  }

  async #guard(): Promise<LoadedGuard | undefined> {
    const loaded = await outcome(async () => loadGuard(this.#parts.guardPath));
    this.#guardSha256 = loaded.ok ? loaded.value.sha256 : null;
    if (loaded.ok) return loaded.value;
    this.#refuse(loaded.refusal);
    return undefined;
  }

  #failed(refusal: Refusal, touched: boolean): Event {
    this.#refuse(refusal);
    return { kind: "failed", touched, now: this.#parts.now() };
  }

  #refuse(refusal: Refusal): void {
    const { code, message } = refusal;
    const repeated = this.#lastRefusal?.code === code && this.#lastRefusal.message === message;
    const dated = { code, message, at: new Date(this.#parts.now()).toISOString() };
    this.#refusal = refusal;
    this.#lastRefusal = dated;
    this.#unreported = dated;
    if (!repeated) {
      this.#reportDue = true;
      this.#parts.log(`refused ${code}: ${message}`);
    }
  }

  #entered(kind: State["kind"]): void {
    this.#since = new Date(this.#parts.now()).toISOString();
    this.#parts.log(`state ${kind}`);
  }

  async #report(stop: AbortSignal): Promise<void> {
    const { directory, client, kernel, drift, now: clock, cycleMs, log } = this.#parts;
    const now = clock();
    const counters = await kernel.counters();
    const sent = await outcome(async () => {
      const facts = describeHost(
        {
          state: this.#state,
          seen: this.#trust()?.seen() ?? { root: 1, timestamp: 0, targets: 0 },
          guardSha256: this.#guardSha256,
          refusal: this.#unreported,
          counters,
          drift: drift.summary(now),
        },
        now,
      );
      const n = numberReport(directory);
      await client.report({ n, ...facts }, now, AbortSignal.any([stop, AbortSignal.timeout(cycleMs)]));
    });
    if (!sent.ok) return log(`report not delivered: ${sent.refusal.code}: ${sent.refusal.message}`);
    this.#reportDue = false;
    this.#reportedAt = now;
    this.#unreported = null;
  }

  #writeStatus(): void {
    const { directory, identity, url, drift, now, log } = this.#parts;
    const applied = committed(this.#state);
    const lease = leaseOf(this.#state);
    try {
      writeStatus(directory, {
        state: this.#state.kind,
        since: this.#since,
        updated_at: new Date(now()).toISOString(),
        host: identity.host,
        fleet: identity.fleet,
        url,
        applied:
          applied === null
            ? null
            : { seq: applied.seq, revision: applied.revision, bundle_sha256: applied.bundle_sha256 },
        lease_ends_at: lease === null ? null : new Date(lease).toISOString(),
        last_refusal: this.#lastRefusal,
        drift: drift.summary(now()),
      });
    } catch (error) {
      if (!isErrno(error)) throw error;
      log(`status not written: ${error.code}`);
    }
  }

  #trust(): Trust | undefined {
    return this.#parts.trust.ok ? this.#parts.trust.value : undefined;
  }
}

const torn: Refusal = { code: "state_invalid", message: "both committed slots are damaged" };

/** The program a trusted bundle means on this host. @throws Refused */
export function programOf(bundle: TrustedBundle, { guard }: LoadedGuard): Program {
  if (bundle.custom.mode === "closed") return renderClosed(guard);
  const rendered = render(admit(bundle, guard), guard);
  if (!rendered.ok) throw new Refused(rendered.code, rendered.message);
  return rendered.program;
}

/** What a trusted bundle means for the flows of this host. */
const rulesOf = ({ custom, ruleset }: TrustedBundle, { guard: { management } }: LoadedGuard): Rules =>
  custom.mode === "closed" ? closedRules(management) : { ruleset, management };

const candidateOf = ({ custom, sha256 }: TrustedBundle): Candidate => ({
  seq: custom.seq,
  revision: custom.revision,
  bundle_sha256: sha256,
  mode: custom.mode,
});

function numberReport(directory: string): number {
  try {
    return nextReportNumber(directory);
  } catch (error) {
    if (isErrno(error)) throw new Refused("state_unwritable", `report number: ${error.code}`);
    throw error;
  }
}

const committed = (state: State): Committed | null =>
  state.kind === "unenrolled" ? null : (state.kind === "applying" ? state.from : state).applied;
const leaseOf = (state: State): number | null =>
  state.kind === "unenrolled" ? null : (state.kind === "applying" ? state.from : state).leaseEndsAt;
