/**
 * What a guard refuses of a ruleset. The agent asks before it renders, and the control plane before it publishes, of
 * the guard that the host reported: one meaning (law 5). Pure.
 *
 * The management plane needs no check here: a bundle has no way to name it, and the renderer puts it first.
 * `judged_input` is a line of every guard, written or not: a bundle that does not judge what comes in opens everything.
 */
import type { Guard } from "#schema/guard.ts";
import type { Ruleset } from "#schema/ruleset.ts";
import { countKernelElements, countKernelRules } from "./elements.ts";
import { exposureOf } from "./exposure.ts";
import { forwardRefusals } from "./forward.ts";
export type { GuardRefusal } from "./guard-refusal.ts";
import { type GuardRefusal, formatNames } from "./guard-refusal.ts";

/** Every line of the guard that refuses the ruleset, what it leaves unjudged and sizes first; none: it is admitted. */
export function guardRefusals(ruleset: Ruleset, guard: Guard): readonly GuardRefusal[] {
  const { max_rules, max_elements } = guard.limits;
  return [
    ...checkHostScope(ruleset),
    ...above("limits.max_rules", "rules", Math.ceil(countKernelRules(ruleset)), max_rules),
    ...above("limits.max_elements", "set elements", countKernelElements(ruleset), max_elements),
    ...forwardRefusals(ruleset, guard),
    ...checkExposure(ruleset, guard),
  ];
}

/** The type sees to it that a scope `host` ends in a rule that matches everything that comes in. */
const checkHostScope = ({ scopes }: Ruleset): readonly GuardRefusal[] =>
  scopes.some(({ kind }) => kind === "host")
    ? []
    : [
        {
          line: "judged_input",
          things: [],
          rows: [],
          message: "the bundle has no scope host, so nothing in it judges what comes in",
        },
      ];

function checkExposure(
  ruleset: Ruleset,
  { never_accept_from_any, limits }: Guard,
): readonly GuardRefusal[] {
  const { open, rowsOf } = exposureOf(ruleset);
  const never = [...new Set(never_accept_from_any)].toSorted((a, b) => a - b);
  const opened = open.flatMap((ports) =>
    never
      .filter((port) => ports.from <= port && port <= ports.to)
      .map((port) => ({ ...ports, port })),
  );
  const names = opened.map(({ transport, port }) => `${transport} ${port}`);
  const message = `the bundle opens ${formatNames(names)} to everybody or to a wide network, the guard never does`;
  const toAll = open.filter((ports) => ports.toAll);
  const count = toAll.reduce((sum, { from, to }) => sum + to - from + 1, 0);
  const tooMany = above(
    "limits.max_any_accept",
    "ports open to everybody",
    count,
    limits.max_any_accept,
  );
  return [
    ...(names.length === 0
      ? []
      : [
          {
            line: "never_accept_from_any" as const,
            things: names,
            rows: rowsOf(opened.map(({ port, ...ports }) => ({ ...ports, from: port, to: port }))),
            message,
          },
        ]),
    ...tooMany.map((refusal) => ({ ...refusal, rows: rowsOf(toAll) })),
  ];
}

const above = (
  line: GuardRefusal["line"],
  what: string,
  count: number,
  limit: number,
): readonly GuardRefusal[] =>
  count <= limit
    ? []
    : [
        {
          line,
          things: [],
          rows: [],
          message: `the bundle has ${count} ${what}, the guard admits ${limit}`,
        },
      ];
