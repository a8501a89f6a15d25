/**
 * What changes on a host between two rulesets, in words: scopes and rules as lines, sets and class maps by what they are
 * named after, and in `other` whatever has no better place. Empty exactly when the canonical bytes are equal: whoever
 * signs must see all that they sign. So things are compared whole, as canonical text, and words are found afterwards;
 * what this file has no words for is shown as it stands in the bytes. Pure.
 */
import { compareNetworks, requireNetwork, sortBy } from "#schema/address.ts";
import { formatCanonical } from "#schema/canonical.ts";
import { compareText } from "#schema/order.ts";
import {
  type ClassMap,
  mapClassMembers,
  type NamedSet,
  type Rule,
  type Ruleset,
  scopeId,
} from "#schema/ruleset.ts";
import { describeRule, describeScope, formatName, findUsualKind } from "./describe.ts";
import { findMoved, subtractItems } from "./lists.ts";

export interface Lines {
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

export interface SetDifference extends Lines {
  /** Such as `zone lan`; what the set or class map is named after. Its lines are in the order of the set. */
  readonly name: string;
}

export interface Difference {
  readonly scopes: Lines;
  /** In order of evaluation. */
  readonly rules: Lines;
  /** Sets whose elements differ, by name; a class map's elements are `address -> group office/dev`. */
  readonly sets: readonly SetDifference[];
  /** Everything else, one sentence each: rules that moved, sets of another kind, what has no words of its own. */
  readonly other: readonly string[];
}

export function compareRulesets(before: Ruleset, after: Ruleset): Difference {
  const sets = [
    ...pairByName(before.sets, after.sets),
    ...pairByName(expandClasses(before), expandClasses(after)),
  ].toSorted((a, b) => compareText(a.name, b.name));
  const found: Difference = {
    scopes: compareLines(before.scopes, after.scopes, describeScope),
    rules: compareLines(before.rules, after.rules, describeRule),
    sets: sets
      .map(compareElements)
      .filter(({ added, removed }) => added.length + removed.length > 0),
    other: [
      ...comparePlaces(before, after),
      ...sets.flatMap(setNotes),
      ...byText("scopes", before.scopes.map(scopeId), after.scopes.map(scopeId)),
      ...byText("sets", before.sets.map(nameOf), after.sets.map(nameOf)),
      ...byText("class maps", before.classes.map(nameOf), after.classes.map(nameOf)),
      ...compareFields("", selectOtherFields(before), selectOtherFields(after)),
    ],
  };
  return isEmpty(found)
    ? { ...found, other: compareFields("the bytes differ:", before, after) }
    : found;
}

const isEmpty = ({ scopes, rules, sets, other }: Difference): boolean =>
  [scopes, rules].every(({ added, removed }) => added.length + removed.length === 0) &&
  sets.length + other.length === 0;

/** How many addresses, networks and class map entries a ruleset holds. */
export const elementCount = ({ sets, classes }: Ruleset): number =>
  [...sets, ...expandClasses({ sets, classes })].reduce(
    (sum, { elements }) => sum + elements.length,
    0,
  );

/** What comes and what goes; where a line stands on both sides, what it leaves out stands behind it. */
function compareLines<T>(
  before: readonly T[],
  after: readonly T[],
  describe: (item: T) => string,
): Lines {
  const added = subtractItems(after, before, formatCanonical).map((item) => ({
    item,
    text: describe(item),
  }));
  const removed = subtractItems(before, after, formatCanonical).map((item) => ({
    item,
    text: describe(item),
  }));
  const [come, gone] = [added, removed].map((side) => new Set(side.map(({ text }) => text)));
  const line = ({ item, text }: { readonly item: T; readonly text: string }): string =>
    come?.has(text) === true && gone?.has(text) === true
      ? `${text} ${formatCanonical(item)}`
      : text;
  return { added: added.map(line), removed: removed.map(line) };
}

/** Where rules stand: those that both have in another order, and new ones where the order decides. */
function comparePlaces(before: Ruleset, after: Ruleset): readonly string[] {
  const inOrder = findOrderedPlaces(after);
  const fresh = new Set(subtractItems(after.rules, before.rules, formatCanonical));
  const come = after.rules.flatMap((item, i) =>
    fresh.has(item) && inOrder.has(placeOf(item)) ? [{ item, behind: after.rules[i - 1] }] : [],
  );
  return [...findMoved(before.rules, after.rules, formatCanonical), ...come].map(
    ({ item, behind }) => {
      const where = behind === undefined ? "is the first" : `stands behind ${describeRule(behind)}`;
      return `order of rules: ${describeRule(item)} ${where}`;
    },
  );
}

const placeOf = ({ scope, direction }: Rule): string => `${scope} ${direction}`;

/** Directions of scopes that deny something: the compiler writes accepts and then one end. */
function findOrderedPlaces({ rules }: Ruleset): ReadonlySet<string> {
  const lists = [...Map.groupBy(rules, placeOf)];
  return new Set(
    lists.flatMap(([place, list]) =>
      list.every(({ verdict }, i) => (verdict === "accept") === i < list.length - 1) ? [] : [place],
    ),
  );
}

/** The compiler sorts lists whose order means nothing; one that is not sorted is said as it stands. */
function order<T>(
  what: string,
  before: readonly string[],
  after: readonly string[],
  key: (text: string) => T,
  compare: (a: T, b: T) => number,
): readonly string[] {
  const said = after.join(" ");
  if (said === before.join(" ")) return [];
  const keys = after.map(key);
  const isSorted = keys.slice(1).every((each, i) => compare(keys[i] ?? each, each) < 0);
  return isSorted ? [] : [`${what} are listed as ${said}`];
}

const itself = (text: string): string => text;
const byText = (
  what: string,
  before: readonly string[],
  after: readonly string[],
): readonly string[] => order(what, before, after, itself, compareText);

const nameOf = ({ name }: { readonly name: string }): string => name;

/** A class map with the addresses of its classes, in their order. */
interface Expanded extends ClassMap {
  readonly elements: readonly { readonly address: string; readonly class: string }[];
}

function expandClasses(ruleset: Pick<Ruleset, "sets" | "classes">): readonly Expanded[] {
  const members = mapClassMembers(ruleset);
  return ruleset.classes.map((map) => ({
    ...map,
    elements: sortBy([...(members.get(map.name) ?? [])], ([address]) => address).map(
      ([address, name]) => ({ address, class: name }),
    ),
  }));
}

type NamedElements = NamedSet | Expanded;

/** What stands under one name before and after. */
interface Pair {
  readonly name: string;
  readonly before: NamedElements | undefined;
  readonly after: NamedElements | undefined;
}

function pairByName(
  before: readonly NamedElements[],
  after: readonly NamedElements[],
): readonly Pair[] {
  const [old, now] = [before, after].map(
    (items) => new Map(items.map((item) => [item.name, item])),
  );
  const names = new Set([...before, ...after].map(nameOf));
  return [...names].map((name) => ({ name, before: old?.get(name), after: now?.get(name) }));
}

function compareElements({ name, before, after }: Pair): SetDifference {
  const [old, now] = [elementsOf(before), elementsOf(after)];
  return {
    name: formatName(name),
    added: subtractItems(now, old, itself),
    removed: subtractItems(old, now, itself),
  };
}

const elementsOf = (held: NamedElements | undefined): readonly string[] =>
  (held?.elements ?? []).map((element) =>
    typeof element === "string" ? element : `${element.address} -> ${formatName(element.class)}`,
  );

/** What there is to a set or class map besides which elements come and go. */
function setNotes({ name, before, after }: Pair): readonly string[] {
  const what = `set ${formatName(name)}`;
  if (after === undefined) return before?.elements.length === 0 ? [`${what} is gone`] : [];
  const { elements, ...head } = after;
  if (before === undefined)
    return elements.length > 0 && isUsual(after) ? [] : [newNote(what, head)];
  const { elements: old, ...oldHead } = before;
  return [
    ...(elements.length === 0 && old.length > 0 ? [`${what} matches nothing now`] : []),
    ...order(
      `elements of ${what}`,
      old.map(addressOf),
      elements.map(addressOf),
      requireNetwork,
      compareNetworks,
    ),
    ...compareFields(what, oldHead, head),
  ];
}

const newNote = (what: string, head: object): string => `${what} is new: ${formatCanonical(head)}`;

/** A set whose kind its name says; what else there is to it, its elements show. */
const isUsual = (held: NamedElements): boolean =>
  "kind" in held &&
  held.kind === findUsualKind(held.name) &&
  formatCanonical(held) ===
    formatCanonical({ name: held.name, kind: held.kind, elements: held.elements });

const addressOf = (element: string | Expanded["elements"][number]): string =>
  typeof element === "string" ? element : element.address;

type Fields = Readonly<Record<string, unknown>>;
const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Fields of a ruleset that this file does not read. */
const selectOtherFields = (ruleset: Ruleset): Fields => {
  const known: readonly string[] = [
    "scopes",
    "sets",
    "classes",
    "rules",
  ] satisfies (keyof Ruleset)[];
  return Object.fromEntries(Object.entries(ruleset).filter(([field]) => !known.includes(field)));
};

/** Fields in which two values differ, with both values. */
function compareFields(what: string, before: unknown, after: unknown): readonly string[] {
  const [old, now] = [before, after].map((value) =>
    value === undefined ? "nothing" : formatCanonical(value),
  );
  if (old === now) return [];
  if (!isFields(before) || !isFields(after)) return [`${what}: ${old} -> ${now}`];
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort(compareText);
  return keys.flatMap((key) => compareFields(`${what} ${key}`.trim(), before[key], after[key]));
}
