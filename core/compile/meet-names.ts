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
} from "#schema/ruleset.ts";
import { hashText } from "#schema/sha256.ts";
import type { MetRule } from "./common-rule.ts";
import { type End, type AddressSet, isSameSet } from "./held.ts";
import { sortBy } from "./sort.ts";

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
  const used = new Set(
    rules
      .flatMap(({ source, destination }) => [source, destination])
      .flatMap((end) => (end.kind === "set" ? [end.set] : [])),
  );
  const sets = [...names.sets].filter(([name]) => used.has(name));
  return {
    scopes: byId,
    sets: sets.map(([name, held]) => setOf(name, held)).sort(byName),
    classes: [...names.maps.values()].sort(byName),
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
      const to = destination.kind === "held" ? setNamed(names, destination.held) : destination;
      const done: Rule = { ...rule, scope: scopeId(scope), direction, source, destination: to };
      const text = formatCanonical({ ...done, row: "", counter: "" });
      if (origin === "stays" || !said.has(text)) named.set(met, done);
      said.add(text);
    }
  return rules.flatMap((met) => named.get(met) ?? []);
}

type NamedSource = Rule["source"];

const setNamed = (
  { sets }: Names,
  held: AddressSet,
): { readonly kind: "set"; readonly set: string } & NamedSource => {
  const { kind, elements } = held;
  const set = freeName(held.name, { kind, elements }, (name) => {
    const there = sets.get(name);
    return there === undefined || isSameSet(there, { ...held, map: null });
  });
  if (!sets.has(set)) sets.set(set, { ...held, map: null });
  return { kind: "set", set };
};

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
    if (source.kind !== "held") return { kind: "any" };
    const name = classes?.names.get(source.held);
    return map === undefined || name === undefined
      ? setNamed(names, {
          ...source.held,
          name: source.held.map === null ? source.held.name : null,
        })
      : { kind: "class", map, class: name };
  };
}

interface Classes {
  readonly names: ReadonlyMap<AddressSet, string>;
  /** Address → class. */
  readonly elements: ReadonlyMap<string, string>;
}

/** Undefined where two classes share an address. */
function classesOf(held: readonly AddressSet[]): Classes | undefined {
  const bearers = new Map<string, AddressSet>();
  const names = new Map<AddressSet, string>();
  const elements = new Map<string, string>();
  for (const each of held) {
    const name = freeName(each.name, each.elements, (wanted) => {
      const there = bearers.get(wanted);
      return there === undefined || isSameSet(there, each);
    });
    names.set(each, name);
    if (bearers.has(name)) continue;
    bearers.set(name, each);
    for (const address of each.elements) {
      if (elements.has(address)) return undefined;
      elements.set(address, name);
    }
  }
  return { names, elements };
}

function mapNamed({ maps }: Names, wanted: string | null, { names, elements }: Classes): string {
  const classes = [...new Set(names.values())].sort(compareText);
  const sorted = sortBy([...elements], ([address]) => address);
  const content = {
    classes,
    elements: sorted.map(([address, name]) => ({ address, class: name })),
  };
  const map = freeName(wanted, content, (name) => {
    const there = maps.get(name);
    return there === undefined || formatCanonical(there) === formatCanonical({ name, ...content });
  });
  maps.set(map, { name: map, ...content });
  return map;
}
