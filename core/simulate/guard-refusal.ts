/** What a guard says of a ruleset that it does not admit. */
import type { GuardLine } from "#schema/refusals.ts";

/** One line of the guard that does not admit the ruleset. */
export interface GuardRefusal {
  readonly line: GuardLine;
  /** What is refused, such as `tcp 22`, `eth0` or `0.0.0.0/0`; empty where it is a size, or the bundle as a whole. */
  readonly things: readonly string[];
  /** Rows that say it, sorted; empty where no row in particular is to blame. */
  readonly rows: readonly string[];
  /** What it is, for people; begins with "the bundle". */
  readonly message: string;
}

const namedMax = 8;

/** The first few, so that a bundle that opens everything is still one sentence. */
export function formatNames(names: readonly string[]): string {
  const more = names.length - namedMax;
  return names.slice(0, namedMax).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
