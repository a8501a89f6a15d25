/**
 * One agent's cycle: interprets the effects of agent/machine/state.ts with the rooms that can carry them out, one after the
 * other. Decides nothing itself; every outcome goes back into the state machine as an event.
 */
import { existsSync } from "node:fs";
import { countOnly, type Program, renderClosed, rendererVersion } from "#core/render/index.ts";
import { admitFirst, mayEnforce } from "./adoption.ts";
import { programSha256 } from "#agent/disk/digest.ts";
import { ask, type PollHints } from "./ask.ts";
import { dropBallast, keepBallast } from "#agent/disk/reserve.ts";
import { signedAfter } from "#agent/disk/clock.ts";
import { enforce } from "./enforce.ts";
import { recordCutOff } from "#agent/observe/event-log.ts";
import { ClosedKeeper } from "./fallback.ts";
import { FlowCutter } from "./flow-cutter.ts";
import { type LoadedGuard, policyOf } from "#agent/guard/index.ts";
import { encodePublicHalf } from "#agent/disk/identity.ts";
import { closeJournal, cutOff } from "#agent/disk/journal.ts";
import type { Rules } from "#agent/flows/flows.ts";
import { isErrno } from "#agent/disk/files.ts";
import { fallenFile, holdFile, mark } from "#agent/disk/marks.ts";
import { causeOf, settleOutcome, type Refusal } from "#agent/machine/refusal.ts";
import type { DatedRefusal } from "#agent/report/report.ts";
import { Reporter } from "#agent/report/reporter.ts";
import type { Cycle, Parts } from "./parts.ts";
import { candidateOf, programOf, rulesOf } from "./programs.ts";
import { readReverts, writeReverts } from "#agent/disk/reverts.ts";
import {
  readCommittedSlot,
  commitSlot,
  everCommitted,
  type Slot,
  stageSlot,
} from "#agent/disk/slots.ts";
import { leaseOf } from "#agent/machine/read.ts";
import { heldFacts } from "#agent/trust/facts.ts";
import {
  type Candidate,
  type Committed,
  type Effect,
  type Event,
  type Policy,
  type State,
  step,
} from "#agent/machine/state.ts";
import { endedBy, saysAgain, statusOf, openStatusWriter } from "#agent/report/status.ts";
import { TimeBound } from "./time-bound.ts";
import type { Trust } from "#agent/trust/index.ts";

export class Agent {
  readonly #parts: Parts;
  /** What of the committed program has ended. */
  readonly times: TimeBound;
  #state: State = { kind: "unenrolled" };
  #since: string;
  #lastRefusal: DatedRefusal | null = null;
  #refusal: Refusal | undefined;
  #believed = false;
  readonly #hints: PollHints = { generation: null, pollAfter: undefined };
  #lastGuard: LoadedGuard | null = null;
  /** Of the root in force; null while there is none. */
  #keys: string | null;
  /** What the committed ruleset means, once it is known. */
  #rules: Rules | undefined;
  readonly #closed: ClosedKeeper;
  readonly #flows: FlowCutter;
  readonly #reporter: Reporter;
  readonly #tellStatus: ReturnType<typeof openStatusWriter>;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#keys = parts.trust.ok ? parts.trust.value.keys() : null;
    this.#reporter = new Reporter(parts);
    this.#flows = new FlowCutter(parts);
    this.times = new TimeBound(parts);
    this.#closed = new ClosedKeeper(parts);
    this.#tellStatus = openStatusWriter(parts.directory);
    this.#since = new Date(parts.now()).toISOString();
  }

  get state(): State {
    return this.#state;
  }

  /** One cycle: wake, poll, and whatever follows from that. Network waits end with `stop`. */
  async runCycle(stop: AbortSignal): Promise<Cycle> {
    const alarm = this.#parts.clock.takeAlarm();
    if (alarm !== undefined) this.#refuse(alarm);
    this.#refusal = undefined;
    this.#believed = false;
    const event = await (this.#state.kind === "unenrolled" ? this.#started() : this.#woke());
    await this.#dispatch(event, stop);
    await this.#parts.services.readServices(this.#rules, Math.floor(this.#parts.now() / 1000));
    const held = heldFacts(this.#trust());
    await this.#reporter.report({ state: this.#state, ...held, guard: this.#lastGuard }, stop);
    if (this.#believed && this.#refusal === undefined && this.#lastRefusal !== null)
      this.#lastRefusal = endedBy(this.#lastRefusal, new Date(this.#parts.now()).toISOString());
    this.#writeStatus();
    this.#closed.mark();
    if (this.#refusal === undefined) keepBallast(this.#parts.directory);
    return {
      state: this.#state,
      refusal: this.#refusal,
      believed: this.#believed,
      pollAfter: this.#hints.pollAfter,
      waitMs: this.#parts.client.waitMs("poll"),
    };
  }

  async #started(): Promise<Event> {
    const { directory, kernel, clock, events } = this.#parts;
    const trust = this.#trust();
    const slot = readCommittedSlot(directory);
    if (slot !== undefined) this.times.begin(slot);
    this.#hints.generation = trust?.hint().generation ?? null;
    this.#rules = await this.#rulesBefore();
    this.#flows.begin(this.#rules);
    return {
      kind: "started",
      applied: slot?.applied ?? null,
      leaseEndsAt: trust?.readHeld()?.leaseEndsAt ?? null,
      table: await kernel.table(),
      hold: existsSync(holdFile(directory)),
      // Slots that exist but are torn are no fresh start: without a table such a host closes.
      committedBefore: everCommitted(directory),
      enforces: mayEnforce(directory),
      fallen: existsSync(fallenFile(directory)),
      trust: trust === undefined ? "damaged" : "sound",
      policy: await this.#policy(),
      reverts: readReverts(directory, this.#keys, clock.now()),
      interrupted: recordCutOff(events, await cutOff(directory)),
      now: clock.now(),
    };
  }

  /** What the committed ruleset means, where the bundle it came from is still held. */
  async #rulesBefore(): Promise<Rules | undefined> {
    const held = this.#trust()?.readHeld();
    if (
      held === undefined ||
      readCommittedSlot(this.#parts.directory)?.applied.bundle_sha256 !== held.sha256
    )
      return undefined;
    const guard = await this.#guard();
    return guard === undefined ? undefined : rulesOf(held, guard);
  }

  async #woke(): Promise<Event> {
    const { directory, clock } = this.#parts;
    const hold = existsSync(holdFile(directory));
    const enforces = mayEnforce(directory);
    return { kind: "woke", hold, enforces, policy: await this.#policy(), now: clock.now() };
  }

  /** Null while the guard file is invalid: what it said before stays. */
  async #policy(): Promise<Policy | null> {
    const guard = await this.#guard();
    return guard === undefined
      ? null
      : policyOf(guard.guard, encodePublicHalf(this.#parts.identity.key));
  }

  /** Steps until nothing follows. Bounded by the state machine: no event of an effect leads back to a poll. */
  async #dispatch(first: Event, stop: AbortSignal): Promise<void> {
    const events: Event[] = [first];
    for (let event = events.shift(); event !== undefined; event = events.shift()) {
      const before = this.#state.kind;
      const [next, effects] = step(this.#state, event);
      this.#state = next;
      if (next.kind !== before) this.#entered(before, next.kind);
      for (const effect of effects) {
        const follows = await this.#perform(effect, stop);
        if (effect.kind === "poll") events.push(...this.#rekeyed());
        if (follows !== undefined) events.push(follows);
      }
    }
  }

  /** Whether a poll brought a root with other keys, believed or refused in the rest. */
  #rekeyed(): readonly Event[] {
    const before = this.#keys;
    this.#keys = this.#trust()?.keys() ?? null;
    return this.#keys === before ? [] : [{ kind: "rekeyed", now: this.#parts.clock.now() }];
  }

  async #perform(effect: Effect, stop: AbortSignal): Promise<Event | undefined> {
    switch (effect.kind) {
      case "poll":
        return this.#poll(stop);
      case "apply":
        return this.#apply(effect.candidate, stop);
      case "count":
        return this.#count(effect.candidate);
      case "record":
        return this.#record(effect.candidate);
      case "restore":
        return this.#restore();
      case "close":
        return this.#close();
      case "remember":
        return this.#keep(() => writeReverts(this.#parts.directory, effect.reverts, this.#keys));
      case "report":
        this.#reporter.reportSoon();
        return undefined;
    }
  }

  /** What has ended since the last load is taken out, whoever can be reached; its flows end with it. */
  async #leaveOutPast(): Promise<void> {
    const rules = this.#rules;
    if (rules === undefined) return;
    const { left, refusals } = await this.times.leaveOut(this.#state, rules.ruleset);
    for (const refusal of refusals) this.#refuse(refusal);
    if (left) await this.#flows.cutCommitted(rules);
  }

  async #poll(stop: AbortSignal): Promise<Event> {
    await this.#leaveOutPast();
    const polled = await settleOutcome(() => ask(this.#parts, this.#state, this.#hints, stop));
    const { clock } = this.#parts;
    if (!polled.ok) {
      this.#refuse(polled.refusal);
      return { kind: "refused", because: causeOf(polled.refusal), now: clock.now() };
    }
    this.#believed = true;
    if (polled.value.leaseEndsAt !== leaseOf(this.#state)) clock.anchor(signedAfter(polled.value));
    const guard = await this.#guard();
    return {
      kind: "trusted",
      candidate: candidateOf(polled.value),
      leaseEndsAt: polled.value.leaseEndsAt,
      guard: guard?.sha256 ?? null,
      renderer: rendererVersion,
      now: clock.now(),
    };
  }

  async #apply(candidate: Candidate, stop: AbortSignal): Promise<Event> {
    const { directory, kernel, watchdog, client, now, clock, processes, pass, log, events } =
      this.#parts;
    const guard = await this.#guard();
    const bundle = this.#trust()?.readHeld();
    if (guard === undefined || bundle?.custom.seq !== candidate.seq)
      return { kind: "failed", kernel: "untouched", now: clock.now() };
    const program = await settleOutcome(async () => {
      if (!everCommitted(directory)) admitFirst(guard, processes());
      return programOf(bundle, guard);
    });
    if (!program.ok) return this.#failed(program.refusal, "untouched");
    const applied: Committed = {
      ...candidate,
      program_sha256: programSha256(program.value),
      guard_sha256: guard.sha256,
      renderer: rendererVersion,
    };
    const parts = { directory, kernel, watchdog, client, guard: guard.guard, now, pass, stop };
    // Read before anything is loaded: a state directory that fails meanwhile takes nothing away.
    const held = readCommittedSlot(directory);
    this.times.advance();
    const enforced = await enforce(
      parts,
      applied,
      program.value,
      held,
      this.times.limitProgram(program.value),
    );
    if (enforced.kind !== "committed") {
      if (!enforced.loaded) return this.#failed(enforced.refusal, "untouched");
      const back = await this.#goBack(held);
      const reverted = enforced.kind === "stopped" ? "interrupted" : "reverted";
      const failed = this.#failed(enforced.refusal, back ? reverted : "doubtful");
      if (back) events.record({ kind: "revert", seq: applied.seq, by: "agent" });
      return failed;
    }
    await this.#keep(() => mark(directory, "standing"));
    log(`committed seq ${applied.seq}, revision ${applied.revision}`);
    events.record({ kind: "commit", seq: applied.seq, revision: applied.revision });
    this.#rules = rulesOf(bundle, guard);
    await this.#flows.cutCommitted(this.#rules);
    return { kind: "committed", applied, now: clock.now() };
  }

  /** What does not load is refused, and tried again with the next poll. */
  async #count(candidate: Candidate): Promise<Event | undefined> {
    const { directory, kernel, clock, log } = this.#parts;
    const guard = await this.#guard();
    const bundle = this.#trust()?.readHeld();
    if (guard === undefined || bundle?.custom.seq !== candidate.seq) return undefined;
    // A person may have closed this host since the cycle began.
    if (existsSync(holdFile(directory))) return undefined;
    const program = await settleOutcome(async () => countOnly(programOf(bundle, guard)));
    const loaded = program.ok ? await kernel.load(program.value) : program;
    if (!loaded.ok) return this.#refuse(loaded.refusal);
    log(
      `counting what seq ${candidate.seq} would cut; 'adopt' shows it, 'adopt --yes' enforces it`,
    );
    const counted = { ...candidate, guard_sha256: guard.sha256, renderer: rendererVersion };
    return { kind: "counted", counted, now: clock.now() };
  }

  /** The same program under a higher seq. */
  async #record(candidate: Candidate): Promise<Event> {
    const { directory, now, clock } = this.#parts;
    const slot = readCommittedSlot(directory);
    if (slot === undefined) return this.#failed(torn, "untouched");
    const applied: Committed = { ...slot.applied, ...candidate };
    const text = this.times.textOf(slot.program);
    const written = await settleOutcome(async () =>
      commitSlot(directory, stageSlot(directory, applied, slot.program, now(), slot, text)),
    );
    if (!written.ok) return this.#failed(written.refusal, "untouched");
    this.#parts.events.record({ kind: "commit", seq: applied.seq, revision: applied.revision });
    return { kind: "committed", applied, now: clock.now() };
  }

  /** Loads what was committed, or closes where there is nothing; the journal has done its work then. */
  async #goBack(slot: Slot | undefined): Promise<boolean> {
    return slot === undefined
      ? this.#loadClosed()
      : this.#load(this.times.limitProgram(slot.program));
  }

  async #loadClosed(): Promise<boolean> {
    const guard = await this.#guard();
    return guard !== undefined && this.#load(renderClosed(guard.guard));
  }

  async #load(program: Program): Promise<boolean> {
    const loaded = await this.#parts.kernel.load(program);
    if (!loaded.ok) this.#refuse(loaded.refusal);
    else await this.#keep(() => closeJournal(this.#parts.directory));
    return loaded.ok;
  }

  async #restore(): Promise<Event> {
    const { directory, clock } = this.#parts;
    const slot = readCommittedSlot(directory);
    if (slot === undefined) this.#refuse(torn);
    const restored = slot !== undefined && (await this.#goBack(slot));
    if (restored) await this.#keep(() => mark(directory, "standing"));
    return { kind: restored ? "restored" : "restore-failed", now: clock.now() };
  }

  async #close(): Promise<Event> {
    const { directory, clock } = this.#parts;
    // The mark first: a machine that goes down in between must not boot into what it no longer trusts.
    if (this.#state.kind === "closed" && this.#state.by !== "operator")
      await this.#keep(() => mark(directory, "fallen"));
    return { kind: (await this.#loadClosed()) ? "closed" : "close-failed", now: clock.now() };
  }

  /** Writes what a restart must know; a full disk is told and changes nothing else. */
  async #keep(write: () => void): Promise<undefined> {
    const written = await settleOutcome(async () => write());
    if (!written.ok) this.#refuse(written.refusal);
  }

  async #guard(): Promise<LoadedGuard | undefined> {
    const loaded = await settleOutcome(async () => this.#parts.readGuard());
    this.#lastGuard = loaded.ok ? loaded.value : null;
    if (loaded.ok) {
      await this.#keep(() => this.#closed.keep(loaded.value));
      return loaded.value;
    }
    this.#refuse(loaded.refusal);
    return undefined;
  }

  #failed(refusal: Refusal, kernel: FailedKernel): Event {
    this.#refuse(refusal);
    return { kind: "failed", kernel, now: this.#parts.clock.now() };
  }

  #refuse(refusal: Refusal): undefined {
    const { code, message } = refusal;
    if (code === "state_unwritable") dropBallast(this.#parts.directory);
    const repeated = saysAgain(this.#lastRefusal, refusal);
    const dated = { ...refusal, at: new Date(this.#parts.now()).toISOString() };
    this.#refusal = refusal;
    this.#lastRefusal = dated;
    this.#reporter.remember(dated);
    if (!repeated) {
      this.#reporter.reportSoon();
      this.#parts.log(`refused ${code}: ${message}`);
      this.#parts.events.record({ kind: "refusal", code, message });
    }
  }

  #entered(from: State["kind"], to: State["kind"]): void {
    this.#since = new Date(this.#parts.now()).toISOString();
    this.#parts.log(`state ${to}`);
    this.#parts.events.record({ kind: "state", from, to });
  }

  #writeStatus(): void {
    const { identity, url, drift, kernel, services, now, log } = this.#parts;
    const at = new Date(now()).toISOString();
    const host = { host: identity.host, fleet: identity.fleet, url };
    const seen = {
      drift: drift.summarizeDrift(now()),
      others: kernel.others(),
      uncut: this.#flows.uncut,
      listening: services.found,
    };
    try {
      const beside = { ...seen, ...heldFacts(this.#trust()) };
      this.#tellStatus(statusOf(this.#state, this.#since, at, host, this.#lastRefusal, beside));
    } catch (error) {
      if (!isErrno(error)) throw error;
      log(`status not written: ${error.code}`);
    }
  }

  #trust(): Trust | undefined {
    return this.#parts.trust.ok ? this.#parts.trust.value : undefined;
  }
}

type FailedKernel = (Event & { readonly kind: "failed" })["kernel"];

const torn: Refusal = { code: "state_invalid", message: "both committed slots are damaged" };
