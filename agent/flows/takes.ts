/**
 * Whether one ruleset may allow less of the host's own flows than another did. Says yes wherever it cannot tell, so that
 * no flow goes on which lost its grant; says no where nothing was taken, as with most commits, so that a host with many
 * flows lists none of them. Pure.
 */
import { formatCanonical } from "#schema/canonical.ts";
import { mapClassMembers, type Rule, type Ruleset, listEndSets } from "#schema/ruleset.ts";
import type { Rules } from "./flows.ts";

/** @param at Unix seconds: a rule that has ended by then takes its flows with it */
export function mayTake(now: Rules, before: Rules, at: number): boolean {
  if (hasHostScope(now.ruleset) !== hasHostScope(before.ruleset) || !sameGuard(now, before))
    return true;
  const [held, next] = [hostRules(before.ruleset), hostRules(now.ruleset)];
  if (held.some((rule) => hasTurned(rule, at))) return true;
  const rest = findSurplus(held, next);
  return (
    rest === undefined ||
    rest.some(({ verdict }) => verdict !== "accept") ||
    takesBySets(now, before, held)
  );
}

/** Whether a grant may have ended since, or a refusal begun. */
const hasTurned = ({ from, expires, verdict }: Rule, at: number): boolean =>
  (expires !== null && expires <= at) || (verdict !== "accept" && from !== null && from <= at);

const hasHostScope = ({ scopes }: Ruleset): boolean => scopes.some(({ kind }) => kind === "host");
const hostRules = ({ rules }: Ruleset): readonly Rule[] =>
  rules.filter(({ scope }) => scope === "host");

const sameGuard = (a: Rules, b: Rules): boolean => guardText(a) === guardText(b);
const guardText = ({ guard: { management, output } }: Rules): string =>
  formatCanonical({ management, output: output ?? null });

/** What a rule means to packets, whatever it is named and counted by. */
const meaning = (rule: Rule): string =>
  formatCanonical({ ...rule, row: "", counter: "", log: false });

/** What `next` has besides all of `held`, in its order; undefined where it lacks one of them or has another order. */
function findSurplus(held: readonly Rule[], next: readonly Rule[]): readonly Rule[] | undefined {
  const wanted = held.map(meaning);
  let at = 0;
  const rest = next.filter((rule) => {
    if (meaning(rule) !== wanted[at]) return true;
    at += 1;
    return false;
  });
  return at === wanted.length ? rest : undefined;
}

/** Whether a set that lets somebody in has lost an element, or one that keeps somebody out has gained one. */
function takesBySets(now: Rules, before: Rules, rules: readonly Rule[]): boolean {
  const [held, next] = [elementsBy(before.ruleset), elementsBy(now.ruleset)];
  const lacks = (less: ReadonlySet<string>, more: ReadonlySet<string>): boolean =>
    [...more].some((element) => !less.has(element));
  return rules.some((rule) =>
    setsOf(rule).some((name) => {
      const [was, is] = [held.get(name) ?? none, next.get(name) ?? none];
      // What a negation or an exception names works the other way.
      if (isNegating(rule)) return lacks(is, was) || lacks(was, is);
      return rule.verdict === "accept" ? lacks(is, was) : lacks(was, is);
    }),
  );
}

const isNegating = ({ source, destination }: Rule): boolean =>
  [source, destination].some(({ kind }) => kind === "not-set" || kind === "set-except");

const none: ReadonlySet<string> = new Set();

const elementsBy = (ruleset: Ruleset): ReadonlyMap<string, ReadonlySet<string>> =>
  new Map([
    ...ruleset.sets.map(({ name, elements }) => [`set ${name}`, new Set(elements)] as const),
    ...[...mapClassMembers(ruleset)].map(
      ([name, members]) =>
        [
          `map ${name}`,
          new Set([...members].map(([address, own]) => `${address} ${own}`)),
        ] as const,
    ),
  ]);

const setsOf = ({ source, destination }: Rule): readonly string[] => [
  ...[source, destination].flatMap(listEndSets).map((set) => `set ${set}`),
  ...(source.kind === "class" ? [`map ${source.map}`] : []),
];
