/**
 * Whether one ruleset may allow less of the host's own flows than another did. Says yes wherever it cannot tell, so that
 * no flow goes on which lost its grant; says no where nothing was taken, as with most commits, so that a host with many
 * flows lists none of them. Pure.
 */
import { formatCanonical } from "#schema/canonical.ts";
import type { Rule, Ruleset } from "#schema/ruleset.ts";
import type { Rules } from "./flows.ts";

/** @param at Unix seconds: a rule that has ended by then takes its flows with it */
export function mayTake(now: Rules, before: Rules, at: number): boolean {
  if (judgesHost(now.ruleset) !== judgesHost(before.ruleset) || !sameGuard(now, before))
    return true;
  const [held, next] = [hostRules(before.ruleset), hostRules(now.ruleset)];
  if (held.some(({ expires }) => expires !== null && expires <= at)) return true;
  const rest = findSurplus(held, next);
  return (
    rest === undefined ||
    rest.some(({ verdict }) => verdict !== "accept") ||
    takesBySets(now, before, held)
  );
}

const judgesHost = ({ scopes }: Ruleset): boolean => scopes.some(({ kind }) => kind === "host");
const hostRules = ({ rules }: Ruleset): readonly Rule[] =>
  rules.filter(({ scope }) => scope === "host");

const sameGuard = (a: Rules, b: Rules): boolean => guardText(a) === guardText(b);
const guardText = ({ guard: { management, output } }: Rules): string =>
  formatCanonical({ management, output: output ?? null });

/** What a rule means to packets, whatever it is named and counted by. */
const meaning = ({
  direction,
  protocol,
  source,
  destination,
  state,
  verdict,
  expires,
}: Rule): string =>
  formatCanonical({ direction, protocol, source, destination, state, verdict, expires });

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
      return rule.verdict === "accept" ? lacks(is, was) : lacks(was, is);
    }),
  );
}

const none: ReadonlySet<string> = new Set();

const elementsBy = ({ sets, classes }: Ruleset): ReadonlyMap<string, ReadonlySet<string>> =>
  new Map([
    ...sets.map(({ name, elements }) => [`set ${name}`, new Set<string>(elements)] as const),
    ...classes.map(
      ({ name, elements }) =>
        [
          `map ${name}`,
          new Set(elements.map((element) => `${element.address} ${element.class}`)),
        ] as const,
    ),
  ]);

const setsOf = ({ source, destination }: Rule): readonly string[] => [
  ...(source.kind === "set" ? [`set ${source.set}`] : []),
  ...(source.kind === "class" ? [`map ${source.map}`] : []),
  ...(destination.kind === "set" ? [`set ${destination.set}`] : []),
];
