/**
 * When this host reports, and what it has said so far: on every transition, when what stands beside the rules changed,
 * and once an hour; several changes in one report. What did not arrive is due at the next cycle.
 */
import type { RoleExpiry } from "#schema/expiry.ts";
import type { ForeignDrop, Listening, Seen } from "#schema/wire.ts";
import type { LoadedGuard } from "./guard/index.ts";
import type { Parts } from "./parts.ts";
import { dropBallast } from "./ballast.ts";
import { outcome } from "./refusal.ts";
import { type DatedRefusal, describeHost, nextReportNumber, reportIntervalMs } from "./report.ts";
import type { State } from "./state.ts";

/** What only the agent knows. */
interface Standing {
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
  readonly #parts: Parts;
  #due = true;
  #sentAt = 0;
  #toldDrops = "null";
  #refusal: DatedRefusal | null = null;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** A report goes out with this cycle. */
  soon(): void {
    this.#due = true;
  }

  /** The next report says so; only `soon` makes it due. */
  remember(refusal: DatedRefusal): void {
    this.#refusal = refusal;
  }

  /** Reports if it is time to. A report that is not delivered is said in the log and fails nothing. */
  async report(standing: Standing, stop: AbortSignal): Promise<void> {
    const { kernel, services, drift, now: clock, log } = this.#parts;
    const now = clock();
    const beside = { foreignDrops: kernel.dropping(), listening: services.found };
    const drifted = drift.takeNews();
    if (drifted || services.isNews || JSON.stringify(beside.foreignDrops) !== this.#toldDrops)
      this.#due = true;
    if (!this.#due && now - this.#sentAt < reportIntervalMs) return;
    // A drift that was taken as news is told, now or later.
    this.#due = true;
    const sent = await outcome(() => this.#send(standing, beside, now, stop));
    if (!sent.ok) {
      if (sent.refusal.code === "state_unwritable") dropBallast(this.#parts.directory);
      return log(`report not delivered: ${sent.refusal.code}: ${sent.refusal.message}`);
    }
    this.#due = false;
    this.#sentAt = now;
    this.#toldDrops = JSON.stringify(beside.foreignDrops);
    services.told(beside.listening);
    this.#refusal = null;
  }

  async #send(standing: Standing, beside: Beside, now: number, stop: AbortSignal): Promise<void> {
    const { directory, client, kernel, drift, cycleMs } = this.#parts;
    const counters = await kernel.counters();
    const facts = { ...standing, ...beside, refusal: this.#refusal, counters, drift: drift.summary(now) };
    const cycle = AbortSignal.any([stop, AbortSignal.timeout(cycleMs)]);
    const described = describeHost(facts, now);
    const n = nextReportNumber(directory);
    const stored = await client.report({ n, ...described }, now, cycle);
    if (stored > n) await client.report({ n: nextReportNumber(directory, stored), ...described }, now, cycle);
  }
}
