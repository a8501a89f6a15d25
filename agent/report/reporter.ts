/**
 * When this host reports, and what it has said so far: on every transition, when what stands beside the rules changed,
 * and once an hour, or sooner while the control plane asks for it; several changes in one report. What did not arrive
 * is due at the next cycle, or when the control plane asked to hear of it.
 */
import type { RoleExpiry } from "#schema/expiry.ts";
import type { ForeignDrop, Listening, Seen } from "#schema/wire.ts";
import type { LoadedGuard } from "#agent/guard/index.ts";
import type { Kernel } from "#agent/backend/kernel.ts";
import { dropBallast } from "#agent/disk/reserve.ts";
import { settleOutcome } from "#agent/machine/refusal.ts";
import type { DriftLog } from "#agent/observe/drift-log.ts";
import type { ServiceWatch } from "#agent/observe/service-watch.ts";
import type { Client } from "#agent/transport/client.ts";
import { type DatedRefusal, describeHost, reportIntervalMs } from "./report.ts";
import { linkReport, requireReachable } from "./chain.ts";
import { openDrops } from "./drops.ts";
import type { State } from "#agent/machine/state.ts";

/** The rooms that a report asks, and where its chain is kept. */
interface ReportParts {
  readonly directory: string;
  readonly kernel: Kernel;
  readonly drift: DriftLog;
  readonly services: ServiceWatch;
  readonly client: Client;
  /** Milliseconds for everything one cycle asks of the network. */
  readonly cycleMs: number;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  readonly log: (line: string) => void;
}

/** What only the agent knows. */
interface CycleResult {
  readonly state: State;
  readonly seen: Seen;
  readonly expires: readonly RoleExpiry[];
  readonly guard: LoadedGuard | null;
}

interface Beside {
  readonly foreignDrops: readonly ForeignDrop[] | null;
  readonly listening: Listening | null;
}

export class Reporter {
  readonly #parts: ReportParts;
  #due = true;
  #sentAt = 0;
  #intervalMs = reportIntervalMs;
  #reportedDrops = "null";
  readonly #drops: ReturnType<typeof openDrops>;
  #refusal: DatedRefusal | null = null;

  constructor(parts: ReportParts) {
    this.#parts = parts;
    this.#drops = openDrops(parts.directory);
  }

  /** A report goes out with this cycle. */
  reportSoon(): void {
    this.#due = true;
  }

  /** The next report says so; only `soon` makes it due. */
  remember(refusal: DatedRefusal): void {
    this.#refusal = refusal;
  }

  /** Reports if it is time to. A report that is not delivered is said in the log and fails nothing. */
  async report(result: CycleResult, stop: AbortSignal): Promise<void> {
    const { kernel, services, drift, now: clock, log } = this.#parts;
    const now = clock();
    const beside = { foreignDrops: kernel.others().drops, listening: services.found };
    const drifted = drift.takeNews();
    if (drifted || services.isNews || JSON.stringify(beside.foreignDrops) !== this.#reportedDrops)
      this.#due = true;
    if (!this.#due && now - this.#sentAt < this.#intervalMs) return;
    // A drift that was taken as news is said, now or later.
    this.#due = true;
    if (this.#parts.client.waitMs("report") > 0) return;
    const sent = await settleOutcome(() => this.#send(result, beside, now, stop));
    if (!sent.ok) {
      if (sent.refusal.code === "state_unwritable") dropBallast(this.#parts.directory);
      return log(`report not delivered: ${sent.refusal.code}: ${sent.refusal.message}`);
    }
    this.#due = false;
    this.#sentAt = now;
    this.#intervalMs = sent.value;
    this.#reportedDrops = JSON.stringify(beside.foreignDrops);
    services.noteReported(beside.listening);
    this.#refusal = null;
  }

  /** @returns milliseconds until the next report is due by itself */
  async #send(
    result: CycleResult,
    beside: Beside,
    now: number,
    stop: AbortSignal,
  ): Promise<number> {
    const { directory, client, kernel, drift, cycleMs } = this.#parts;
    const counters = await kernel.counters();
    const said = { refusal: this.#refusal, drift: drift.summarizeDrift(now) };
    const drops = this.#drops(result.state, counters);
    const facts = { ...result, ...beside, ...said, counters, drops };
    const cycle = AbortSignal.any([stop, AbortSignal.timeout(cycleMs)]);
    const described = describeHost(facts, now);
    const { n, body } = linkReport(directory, described, now);
    const answer = await client.report(body, now, cycle);
    requireReachable(answer.n, n, now);
    const lost = answer.n > n;
    const last = lost
      ? await client.report(linkReport(directory, described, now, answer.n).body, now, cycle)
      : answer;
    return last.next_s === undefined ? reportIntervalMs : last.next_s * 1000;
  }
}
