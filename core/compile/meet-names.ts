/**
 * Names for what the rules of a meet stand for: a set or class keeps its name where that means one thing, else it gets
 * one made of its content, `i_` and a digest, the same wherever and in whatever order it is met. Pure.
 */
import { formatCanonical } from "#schema/canonical.ts";
import { compareText } from "#schema/order.ts";
import {
  type ClassMap,
  type Direction,
  type NamedSet,
  type Rule,
  type Ruleset,
  type Scope,
  scopeId,
  listEndSets,
} from "#schema/ruleset.ts";
import { hashText } from "#schema/sha256.ts";
import type { MetRule } from "./common-rule.ts";
import { type End, type AddressSet, isSameSet } from "./held.ts";

export interface MetDirection {
  readonly scope: Scope;
  readonly direction: Direction;
  readonly rules: readonly MetRule[];
}

/** The ruleset that these rules are, in the compiler's order of scopes. */
export function assemble(scopes: readonly Scope[], directions: readonly MetDirection[]): Ruleset {
  const names: Names = { sets: new Map(), maps: new Map() };
  const named = directions.map((met) => ({
    scope: scopeId(met.scope),
    rules: assignNames(names, met),
  }));
  const byId = scopes.toSorted((x, y) => compareText(scopeId(x), scopeId(y)));
  const rules = byId.flatMap((scope) =>
    named.filter((part) => part.scope === scopeId(scope)).flatMap((part) => part.rules),
  );
  const classes = [...names.maps.values()].sort(byName);
  const used = new Set([
    ...rules.flatMap(({ source, destination }) => [source, destination].flatMap(listEndSets)),
    ...classes.flatMap((map) => map.classes.map(({ set }) => set)),
  ]);
  const sets = [...names.sets].filter(([name]) => used.has(name));
  return {
    scopes: byId,
    sets: sets.map(([name, held]) => setOf(name, held)).sort(byName),
    classes,
    rules,
  };
}

const setOf = (name: string, { kind, elements }: AddressSet): NamedSet => ({
  name,
  kind,
  elements: [...elements],
});

const byName = (x: { readonly name: string }, y: { readonly name: string }) =>
  compareText(x.name, y.name);

interface Names {
  readonly sets: Map<string, AddressSet>;
  readonly maps: Map<string, ClassMap>;
}

/** Those that stay come first to a name, and a rule that says what another one says goes. */
function assignNames(names: Names, { scope, direction, rules }: MetDirection): readonly Rule[] {
  const sourceOf = makeSourceNaming(names, rules);
  const named = new Map<MetRule, Rule>();
  const said = new Set<string>();
  for (const origin of ["stays", "whole", "part"] as const)
    for (const met of rules.filter((each) => each.origin === origin)) {
      const { rule, destination } = met;
      const source = sourceOf(met.source);
      const to = endNamed(names, destination);
      const done: Rule = { ...rule, scope: scopeId(scope), direction, source, destination: to };
      const text = formatCanonical({ ...done, row: "", counter: "" });
      if (origin === "stays" || !said.has(text)) named.set(met, done);
      said.add(text);
    }
  return rules.flatMap((met) => named.get(met) ?? []);
}

type NamedSource = Rule["source"];

/** An end that is no class. */
function endNamed(names: Names, end: End): Rule["destination"] {
  switch (end.kind) {
    case "any":
    case "own":
    case "source-subnet":
      return end;
    case "held":
      return { kind: "set", set: nameSet(names, end.held) };
    case "outside":
      return { kind: "not-set", set: nameSet(names, end.held) };
  }
}

function nameSet({ sets }: Names, held: AddressSet): string {
  const { kind, elements } = held;
  const set = freeName(held.name, { kind, elements }, (name) => {
    const there = sets.get(name);
    return there === undefined || isSameSet(there, { ...held, map: null });
  });
  if (!sets.has(set)) sets.set(set, { ...held, map: null });
  return set;
}

/** The wanted name where it is free, else one that the content gives. */
function freeName(
  wanted: string | null,
  content: unknown,
  isFree: (name: string) => boolean,
): string {
  if (wanted !== null && isFree(wanted)) return wanted;
  let name = `i_${hashText(formatCanonical(content)).slice(0, 12)}`;
  while (!isFree(name)) name += "_";
  return name;
}

/**
 * Names the sources of a direction. Its classes are one map; where an address would be in two of them, which no class
 * map can say, each is a set.
 */
function makeSourceNaming(names: Names, rules: readonly MetRule[]): (source: End) => NamedSource {
  const held = new Set(
    rules.flatMap(({ source }) =>
      source.kind === "held" && source.held.map !== null ? [source.held] : [],
    ),
  );
  const classes = held.size === 0 ? undefined : classesOf([...held]);
  const map =
    classes === undefined ? undefined : mapNamed(names, [...held][0]?.map ?? null, classes);
  return (source) => {
    const name = source.kind === "held" ? classes?.names.get(source.held) : undefined;
    if (map !== undefined && name !== undefined) return { kind: "class", map, class: name };
    const named = endNamed(
      names,
      source.kind === "held" && source.held.map !== null
        ? { ...source, held: { ...source.held, name: null } }
        : source,
    );
    // A source is never in its own subnet: no reader of rules makes such an end.
    return named.kind === "source-subnet" ? { kind: "any" } : named;
  };
}

interface Classes {
  readonly names: ReadonlyMap<AddressSet, string>;
  /** Class → what it holds. */
  readonly members: ReadonlyMap<string, AddressSet>;
}

/** Undefined where two classes share an address. */
function classesOf(held: readonly AddressSet[]): Classes | undefined {
  const members = new Map<string, AddressSet>();
  const names = new Map<AddressSet, string>();
  const taken = new Set<string>();
  for (const each of held) {
    const name = freeName(each.name, each.elements, (wanted) => {
      const there = members.get(wanted);
      return there === undefined || isSameSet(there, each);
    });
    names.set(each, name);
    if (members.has(name)) continue;
    members.set(name, each);
    for (const address of each.elements) {
      if (taken.has(address)) return undefined;
      taken.add(address);
    }
  }
  return { names, members };
}

function mapNamed(names: Names, wanted: string | null, { members }: Classes): string {
  const classes = [...members]
    .map(([name, held]) => ({ name, set: nameSet(names, setBehind(names, held)) }))
    .sort(byName);
  const map = freeName(wanted, classes, (name) => {
    const there = names.maps.get(name);
    return there === undefined || formatCanonical(there.classes) === formatCanonical(classes);
  });
  names.maps.set(map, { name: map, classes });
  return map;
}

/** A class's addresses as a set: by its name where that is known, else as one that is there with the same addresses. */
function setBehind({ sets }: Names, held: AddressSet): AddressSet {
  const plain = { ...held, name: held.behind, map: null, behind: null };
  if (plain.name !== null) return plain;
  return [...sets.values()].find((there) => isSameSet(there, plain)) ?? plain;
}
