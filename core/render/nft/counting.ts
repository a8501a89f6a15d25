/**
 * A program that refuses nothing: the same chains, rules, sets and counters, where every drop and reject has become an
 * accept. A packet takes the same way through it and counts in the same rows, so its counters say what the program
 * itself would have cut. An accept ends our chain only: what other tables say of the packet still holds.
 */
import { invalidCounter } from "#schema/always.ts";
import { compareText } from "#schema/order.ts";
import { makeLine, refusedBy } from "./line.ts";
import type { Chain, Line, Program } from "./program.ts";

/** Counts what a refusal without a row of its own would cut: the last line of a hook. */
const undecidedCounter = "c_undecided";

export function countOnly(program: Program): Program {
  const chains = program.chains.map(passing);
  const counters = new Set([...program.counters, ...chains.flatMap(countersOf)]);
  return { ...program, counters: [...counters].sort(compareText), chains };
}

/**
 * Counters that count nothing but packets which the program's rules refuse. Ascending. What conntrack can make nothing of
 * is not among them: it is refused whatever the rules say, and the closed ruleset counts it too.
 */
export function listRefusalCounters(program: Program): readonly string[] {
  const listCounters = (refuses: boolean): readonly string[] =>
    program.chains.flatMap(({ lines }) =>
      lines.filter((each) => isRefusal(each) === refuses).flatMap(({ counters }) => counters),
    );
  const shared = new Set([...listCounters(false), invalidCounter]);
  const own = listCounters(true).filter((name) => !shared.has(name));
  return [...new Set([...own, undecidedCounter])].sort(compareText);
}

const passing = (chain: Chain): Chain => ({
  ...chain,
  hook: chain.hook === null ? null : { ...chain.hook, policy: "accept" },
  lines: chain.lines.map((each) => (isRefusal(each) ? countRefusal(each) : each)),
});

const isRefusal = ({ decision }: Line): boolean =>
  decision.kind === "drop" || decision.kind === "reject";

const countRefusal = (refusal: Line): Line => {
  const accepting = makeLine(
    [{ text: refusedBy(refusal) }],
    refusal.counters.length === 0 ? undecidedCounter : null,
    {
      kind: "accept",
    },
  );
  return {
    ...accepting,
    counters: [...refusal.counters, ...accepting.counters],
    sets: refusal.sets,
  };
};

const countersOf = ({ lines }: Chain): readonly string[] =>
  lines.flatMap(({ counters }) => counters);
