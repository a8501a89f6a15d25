/**
 * Cuts, after each commit, the flows that lost their grant, and remembers by which rules that was done last: what could
 * not be cut is measured by the same rules with the next commit. The rules are in force already, so nothing fails here.
 */
import type { Rules } from "#agent/flows/flows.ts";
import type { Parts } from "./parts.ts";
import { printable } from "#agent/machine/refusal.ts";

const whyLengthMax = 500;

export class FlowCutter {
  readonly #parts: Pick<Parts, "cutFlows" | "log" | "events" | "now">;
  /** Undefined where it is not known: then everything counts as allowed before. */
  #cutBy: Rules | undefined;
  #uncut: string | null = null;

  constructor(parts: Pick<Parts, "cutFlows" | "log" | "events" | "now">) {
    this.#parts = parts;
  }

  /** Why flows could not be cut after the last commit; null when they were. */
  get uncut(): string | null {
    return this.#uncut;
  }

  /** @param rules in force when the agent starts */
  begin(rules: Rules | undefined): void {
    this.#cutBy = rules;
  }

  async cutCommitted(now: Rules): Promise<void> {
    const { cutFlows, log, events } = this.#parts;
    const done = await cutFlows(now, this.#cutBy);
    if (done.ok) {
      this.#cutBy = inForce(now, this.#parts.now() / 1000);
      this.#uncut = null;
      if (done.cut > 0) log(`cut ${done.cut} flows that lost their grant`);
      return;
    }
    this.#uncut = printable(done.why).slice(0, whyLengthMax);
    log(`flows that lost their grant may go on: ${this.#uncut}`);
    events.record({ kind: "uncut", why: this.#uncut });
  }
}

/** Grants that have ended have no flows any more: nothing of them is to be cut again. @param at Unix seconds */
const inForce = ({ ruleset, guard }: Rules, at: number): Rules => ({
  guard,
  ruleset: {
    ...ruleset,
    rules: ruleset.rules.filter(
      ({ verdict, expires }) => verdict !== "accept" || expires === null || expires > at,
    ),
  },
});
