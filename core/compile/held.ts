/**
 * What the names in a ruleset's rules stand for: rules with their addresses at hand, so that two rulesets can be held
 * against each other although one name may mean two things in them. Pure.
 */
import { requireNetwork } from "#schema/address.ts";
import type { Destination, NamedSet, Rule, Ruleset, Source } from "#schema/ruleset.ts";
import {
  allSpans,
  meetSpans,
  isWithin,
  networksOf,
  type Spans,
  spansOf,
  subtractSpans,
} from "./spans.ts";

/** The addresses of one set, or of one class. */
export interface AddressSet {
  /** The set's or the class's; null for what no name stands for yet. */
  readonly name: string | null;
  /** The class map's, for a class; null for a set. */
  readonly map: string | null;
  /** The set of a class's addresses; null for a set, and for a part of a class. */
  readonly behind: string | null;
  /** A class holds addresses. */
  readonly kind: NamedSet["kind"];
  /** Sorted, as in the ruleset. */
  readonly elements: readonly string[];
}

export type End =
  | { readonly kind: "any" }
  | { readonly kind: "source-subnet" }
  /** The scope's own addresses. */
  | { readonly kind: "own" }
  | { readonly kind: "held"; readonly held: AddressSet }
  /** All but these: of denies alone. */
  | { readonly kind: "outside"; readonly held: AddressSet };

export interface ResolvedRule {
  readonly rule: Rule;
  readonly source: End;
  readonly destination: End;
}

const noAddresses = { map: null, behind: null, kind: "addresses", elements: [] } as const;

/** Reads one ruleset's names; the same name gives the same object each time. */
export function makeResolver(ruleset: Ruleset): (rule: Rule) => ResolvedRule {
  const sets = new Map(
    ruleset.sets.map(({ name, kind, elements }) => [
      name,
      { name, map: null, behind: null, kind, elements } as AddressSet,
    ]),
  );
  const classes = new Map(
    ruleset.classes.flatMap((map) =>
      map.classes.map(({ name, set }) => [
        `${map.name} ${name}`,
        {
          name,
          map: map.name,
          behind: set,
          kind: "addresses",
          elements: sets.get(set)?.elements ?? [],
        } as AddressSet,
      ]),
    ),
  );
  const rests = new Map<string, AddressSet>();
  const findSet = (name: string): AddressSet => sets.get(name) ?? { name, ...noAddresses };
  const findRest = (name: string, except: string): AddressSet => {
    const id = `${name} ${except}`;
    const held = rests.get(id) ?? subtractFromSet(findSet(name), spansOf(findSet(except).elements));
    rests.set(id, held);
    return held;
  };
  const readEnd = (end: Source | Destination): End => {
    switch (end.kind) {
      case "any":
      case "own":
      case "source-subnet":
        return end;
      case "set":
        return { kind: "held", held: findSet(end.set) };
      case "set-except":
        return { kind: "held", held: findRest(end.set, end.except) };
      case "not-set":
        return { kind: "outside", held: findSet(end.set) };
      case "class":
        return {
          kind: "held",
          held: classes.get(`${end.map} ${end.class}`) ?? {
            ...noAddresses,
            name: end.class,
            map: end.map,
          },
        };
    }
  };
  return (rule) => ({
    rule,
    source: readEnd(rule.source),
    destination: readEnd(rule.destination),
  });
}

type WithElements = Pick<AddressSet, "elements">;

const sameElements = (a: WithElements, b: WithElements): boolean =>
  a.elements === b.elements ||
  (a.elements.length === b.elements.length &&
    a.elements.every((element, i) => element === b.elements[i]));

/** Whether both stand for the same addresses by the same kind of look-up. */
export const isSameSet = (a: AddressSet, b: AddressSet): boolean =>
  a === b || (a.kind === b.kind && (a.map === null) === (b.map === null) && sameElements(a, b));

export const sameEnd = (a: End, b: End): boolean =>
  a.kind === b.kind && (!("held" in a) || !("held" in b) || isSameSet(a.held, b.held));

/** What two have in common. It keeps a name where one of them is that name's, or both bear it. */
export type Common = (a: AddressSet, b: AddressSet) => AddressSet;

/** Each pair is worked out once. */
export function makeSetMeet(): Common {
  const known = new Map<AddressSet, Map<AddressSet, AddressSet>>();
  const spans = new Map<AddressSet, Spans>();
  const listSpans = (held: AddressSet): Spans => {
    const found = spans.get(held) ?? spansOf(held.elements);
    spans.set(held, found);
    return found;
  };
  return (a, b) => {
    const row = known.get(a) ?? new Map<AddressSet, AddressSet>();
    known.set(a, row);
    const found = row.get(b) ?? keepName(a, b, meetElements(a, b, listSpans));
    row.set(b, found);
    return found;
  };
}

type Shared = Pick<AddressSet, "kind" | "elements">;

function meetElements(
  a: AddressSet,
  b: AddressSet,
  spansOfHeld: (held: AddressSet) => Spans,
): Shared {
  if (a.kind === "networks" && b.kind === "networks")
    return { kind: "networks", elements: networksOf(meetSpans(spansOfHeld(a), spansOfHeld(b))) };
  const [exact, other] = a.kind === "networks" ? [b, a] : [a, b];
  if (other.kind === "networks")
    return { kind: exact.kind, elements: selectWithin(exact.elements, spansOfHeld(other)) };
  const others = new Set(b.elements);
  const kind = a.kind === "hosts" || b.kind === "hosts" ? "hosts" : "addresses";
  return { kind, elements: a.elements.filter((element) => others.has(element)) };
}

/** What of a grant's end does not lie in some spans; undefined where that is nothing. */
export function endWithout(end: End, spans: Spans): End | undefined {
  if (end.kind === "source-subnet" || end.kind === "own" || end.kind === "outside") return end;
  const held =
    end.kind === "held"
      ? subtractFromSet(end.held, spans)
      : makeNetworkSet(subtractSpans(allSpans, spans));
  return held.elements.length === 0 ? undefined : { kind: "held", held };
}

function subtractFromSet(held: AddressSet, spans: Spans): AddressSet {
  if (held.kind === "networks") {
    const own = spansOf(held.elements);
    return meetSpans(own, spans).length === 0 ? held : makeNetworkSet(subtractSpans(own, spans));
  }
  const elements = held.elements.filter((text) => !isWithin(requireNetwork(text), spans));
  return elements.length === held.elements.length
    ? held
    : { ...held, name: null, behind: null, elements };
}

const makeNetworkSet = (spans: Spans): AddressSet => ({
  name: null,
  map: null,
  behind: null,
  kind: "networks",
  elements: networksOf(spans),
});

/** Addresses that lie in one of the spans. */
const selectWithin = (addresses: readonly string[], spans: Spans): readonly string[] =>
  addresses.filter((text) => isWithin(requireNetwork(text), spans));

/** A class stays one, as its look-up costs the same however many there are. */
function keepName(a: AddressSet, b: AddressSet, { kind, elements }: Shared): AddressSet {
  const map = a.map ?? b.map;
  const bearers = [a, b].filter((each) => (each.map === null) === (map === null));
  const whole = bearers.find((each) => sameElements(each, { elements }));
  if (whole !== undefined) return whole;
  const alike = bearers.length === 2 && a.name === b.name;
  return {
    name: alike ? a.name : null,
    map,
    behind: alike && a.behind === b.behind ? a.behind : null,
    kind: map === null ? kind : "addresses",
    elements,
  };
}
