/**
 * What two rulesets both allow, as one ruleset: what a host is given while it has lost what a revision takes and got
 * nothing of what it gives. Never wider than either (law 1); narrower where one ruleset cannot say it exactly.
 *
 * Relies on how the compiler writes a direction: accepts in any order, then one end. A direction written otherwise is
 * kept only where both say the same of it, and is closed else. Pure, and blind to the order of its two arguments.
 */
import { canonicalText } from "#schema/canonical.ts";
import { compareText } from "#schema/order.ts";
import type { ClassMap, Direction, NamedSet, Rule, Ruleset, Scope } from "#schema/ruleset.ts";
import { scopeId } from "#schema/ruleset.ts";
import { commonClasses, commonSet } from "./meet-names.ts";
import { meetScopes } from "./meet-scopes.ts";
import { compileOverlay } from "./overlay.ts";

type Sides = readonly [Ruleset, Ruleset];

/** Accepts only what both accept. Both must satisfy the `Ruleset` type; so does the answer. */
export function meet(a: Ruleset, b: Ruleset): Ruleset {
  const names: Names = {
    sets: joined(a.sets, b.sets, commonSet),
    classes: joined(a.classes, b.classes, commonClasses),
  };
  const { scopes, contested } = meetScopes(a.scopes, b.scopes);
  const parts = scopes.map((scope): Pick<Ruleset, "scopes" | "rules"> => ({
    scopes: [scope],
    rules: directionsOf(scope).flatMap((direction) => meetDirection([a, b], names, scope, direction)),
  }));
  if (contested !== undefined) parts.push(compileOverlay(contested));
  const sorted = parts.toSorted((x, y) => compareText(idOf(x), idOf(y)));
  const rules = sorted.flatMap((part) => part.rules);
  const still = stillNamed([a, b], rules);
  return {
    scopes: sorted.flatMap((part) => part.scopes),
    sets: [...names.sets.values()].filter(still).sort(byName),
    classes: [...names.classes.values()].filter(still).sort(byName),
    rules,
  };
}

interface Names {
  readonly sets: ReadonlyMap<string, NamedSet>;
  readonly classes: ReadonlyMap<string, ClassMap>;
}

const idOf = ({ scopes }: Pick<Ruleset, "scopes">): string => scopes.map(scopeId).join(" ");
const byName = (x: { readonly name: string }, y: { readonly name: string }) => compareText(x.name, y.name);

/** In the compiler's order. */
const directionsOf = (scope: Scope): readonly Direction[] =>
  scope.kind === "host" ? ["in", "out"] : ["peer", "out", "in"];

/** What both have becomes what is common to them; what only one has stays as it is. */
function joined<T extends { readonly name: string }>(
  a: readonly T[],
  b: readonly T[],
  common: (x: T, y: T) => T,
): ReadonlyMap<string, T> {
  const all = new Map(a.map((item) => [item.name, item]));
  for (const item of b) {
    const other = all.get(item.name);
    all.set(item.name, other === undefined ? item : common(other, item));
  }
  return all;
}

/** A side without rules here leaves the direction alone, which is to accept; so the other side decides. */
function meetDirection(sides: Sides, names: Names, scope: Scope, direction: Direction): readonly Rule[] {
  const id = scopeId(scope);
  const lists = sides
    .map(({ rules }) => rules.filter((rule) => rule.scope === id && rule.direction === direction))
    .filter((rules) => rules.length > 0);
  const [first, second = first] = lists;
  const end = first?.at(-1);
  if (first === undefined || second === undefined || end === undefined) return [];
  if (lists.every(isAcceptsThenEnd)) {
    const others = new Set(second.map(canonicalText));
    const accepts = first.slice(0, -1).filter((rule) => others.has(canonicalText(rule)));
    return [...accepts.filter((rule) => isDeclared(names, rule)), endOf(first, second)];
  }
  const same = canonicalText(first) === canonicalText(second);
  if (same && sides.every((side) => first.every((rule) => meansTheSame(side, names, rule)))) return first;
  return [{ ...end, verdict: "drop" }];
}

const isAcceptsThenEnd = (rules: readonly Rule[]): boolean =>
  rules.every(({ verdict }, i) => (verdict === "accept") === i < rules.length - 1);

/** The same whichever side comes first. */
function endOf(first: readonly Rule[], second: readonly Rule[]): Rule {
  const [end] = [...first.slice(-1), ...second.slice(-1)].toSorted((x, y) =>
    compareText(canonicalText(x), canonicalText(y)),
  );
  if (end === undefined) throw new Error("a direction without an end is no ruleset");
  return end;
}

const setNames = ({ source, destination }: Rule): readonly string[] =>
  [source, destination].flatMap((match) => (match.kind === "set" ? [match.set] : []));
const mapNames = ({ source }: Rule): readonly string[] => (source.kind === "class" ? [source.map] : []);

/** A class that only one side declares has no members in common. */
const isDeclared = ({ classes }: Names, { source }: Rule): boolean =>
  source.kind !== "class" || classes.get(source.map)?.classes.includes(source.class) === true;

/** A drop that names fewer addresses than before is wider, so every name must mean here what it means on its side. */
function meansTheSame(side: Ruleset, { sets, classes }: Names, rule: Rule): boolean {
  const unchanged = <T extends { readonly name: string }>(
    own: readonly T[],
    all: ReadonlyMap<string, T>,
    name: string,
  ): boolean => {
    const before = own.find((item) => item.name === name);
    return before === undefined || canonicalText(before) === canonicalText(all.get(name));
  };
  return (
    setNames(rule).every((name) => unchanged(side.sets, sets, name)) &&
    mapNames(rule).every((name) => unchanged(side.classes, classes, name))
  );
}

/** A name goes when both sides use it and no rule does any more, or when only one has it and none is left to use it. */
function stillNamed(sides: Sides, rules: readonly Rule[]): (item: NamedSet | ClassMap) => boolean {
  const used = sides.map((side) => namesIn(side.rules));
  const declared = sides.map(({ sets, classes }) => new Set([...sets, ...classes].map(({ name }) => name)));
  const left = namesIn(rules);
  return ({ name }) =>
    left.has(name) || (declared.every((names) => names.has(name)) && !used.every((names) => names.has(name)));
}

const namesIn = (rules: readonly Rule[]): ReadonlySet<string> =>
  new Set(rules.flatMap((rule) => [...setNames(rule), ...mapNames(rule)]));
