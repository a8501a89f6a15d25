/** Counts what was claimed and held. One line per check that a person should see; a failed one is always shown. */
import type { Printer } from "#lab/run/print.ts";

export interface Checks {
  /** A claim with a line of its own. */
  claim(text: string, holds: boolean): void;
  /** A claim that is shown elsewhere, such as a cell of a table. */
  count(holds: boolean): void;
  readonly agree: number;
  readonly differ: number;
}

export function openChecks(print: Printer): Checks {
  let agree = 0;
  let differ = 0;
  const count = (holds: boolean): void => {
    if (holds) agree += 1;
    else differ += 1;
  };
  return {
    count,
    claim: (text, holds) => {
      count(holds);
      print.line({ text: holds ? "  ok      " : "  DIFFERS ", tone: holds ? "good" : "bad" }, text);
    },
    get agree() {
      return agree;
    },
    get differ() {
      return differ;
    },
  };
}
