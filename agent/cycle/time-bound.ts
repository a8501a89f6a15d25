/**
 * What of the committed program has ended, by the agent's own time (agent/disk/clock.ts), which no clock that was set back
 * undoes: it is left out of whatever the agent loads, and of the text that boot loads. The kernel ends such rules by its
 * own clock, and would begin them again by one that is behind.
 */
import { existsSync } from "node:fs";
import { type Program, removeEnded } from "#core/render/index.ts";
import type { Ruleset } from "#schema/ruleset.ts";
import type { Parts } from "./parts.ts";
import { holdFile } from "#agent/disk/marks.ts";
import { settleOutcome, type Refusal } from "#agent/machine/refusal.ts";
import {
  commitSlot,
  readCommittedSlot,
  type Slot,
  stageSlot,
  standaloneText,
} from "#agent/disk/slots.ts";
import { isHeld } from "#agent/machine/read.ts";
import type { State } from "#agent/machine/state.ts";

export class TimeBound {
  readonly #parts: Pick<Parts, "clock" | "directory" | "kernel" | "now">;
  #at: number;
  /** Boot's text says what the last load did. */
  #staged = true;
  #last: { readonly program: Program; readonly at: number; readonly left: Program } | undefined;

  constructor(parts: Pick<Parts, "clock" | "directory" | "kernel" | "now">) {
    this.#parts = parts;
    this.#at = this.#seconds();
  }

  /** The kernel holds what this slot had boot load. */
  begin({ staged_at: stagedAt }: Slot): void {
    this.#at = Math.floor(Date.parse(stagedAt) / 1000);
  }

  /** From now on programs are loaded by the present time. */
  advance(): void {
    this.#at = this.#seconds();
  }

  /**
   * Loads the committed program without what has ended since the last load, and stages that for boot. Needs nobody's
   * word: nothing is granted by it. @returns whether anything was to do, and what went wrong; that is tried again
   */
  async leaveOut(
    state: State,
    ruleset: Ruleset,
  ): Promise<{ readonly left: boolean; readonly refusals: readonly Refusal[] }> {
    const { directory, kernel, now } = this.#parts;
    if (
      !(this.#isDue(ruleset) || !this.#staged) ||
      !isHeld(state) ||
      existsSync(holdFile(directory))
    )
      return nothing;
    const slot = readCommittedSlot(directory);
    if (slot === undefined) return nothing;
    this.advance();
    const program = this.limitProgram(slot.program);
    const loaded = await kernel.update(program);
    const staged = await settleOutcome(async () => {
      const name = stageSlot(
        directory,
        slot.applied,
        slot.program,
        now(),
        slot,
        this.textOf(slot.program),
      );
      commitSlot(directory, name);
    });
    this.#staged = staged.ok;
    return {
      left: true,
      refusals: [loaded, staged].flatMap((each) => (each.ok ? [] : [each.refusal])),
    };
  }

  /** Whether by the present time other grants of a ruleset have ended than by that of the last load. */
  #isDue({ rules }: Ruleset): boolean {
    const [from = 0, to = 0] = [this.#at, this.#seconds()].toSorted((a, b) => a - b);
    return rules.some(
      ({ verdict, expires }) =>
        verdict === "accept" && expires !== null && from < expires && expires <= to,
    );
  }

  /** What the kernel should hold of a program; the same value for the same one, as long as nothing more has ended. */
  limitProgram(program: Program): Program {
    if (this.#last?.program === program && this.#last.at === this.#at) return this.#last.left;
    this.#last = { program, at: this.#at, left: removeEnded(program, this.#at) };
    return this.#last.left;
  }

  /** What boot should load of a program: what the kernel should hold, so what has ended stays out. */
  textOf(program: Program): string {
    return standaloneText(this.limitProgram(program));
  }

  #seconds(): number {
    return Math.floor(this.#parts.clock.now() / 1000);
  }
}

const nothing = { left: false, refusals: [] } as const;
