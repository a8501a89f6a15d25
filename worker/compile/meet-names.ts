/** What two sets, or two class maps, of one name have in common: never an element that one of them lacks. Pure. */
import { contains, knownNetwork } from "#schema/address.ts";
import { canonicalText } from "#schema/canonical.ts";
import type { ClassMap, NamedSet } from "#schema/ruleset.ts";
import { minimalNetworks } from "./cover.ts";

/** Two sets of one name and two kinds have nothing in common. */
export function commonSet(a: NamedSet, b: NamedSet): NamedSet {
  if (a.kind !== b.kind) return { ...(a.kind < b.kind ? a : b), elements: [] };
  if (canonicalText(a) === canonicalText(b)) return a;
  if (a.kind === "networks") return { ...a, elements: minimalNetworks(inBoth(a.elements, b.elements)) };
  const others = new Set(b.elements);
  return { ...a, elements: a.elements.filter((element) => others.has(element)) };
}

/** Networks that lie in one of the other list, each way: of two networks that meet, one holds the other. */
export function inBoth(a: readonly string[], b: readonly string[]): string[] {
  const within = (some: readonly string[], others: readonly string[]): readonly string[] => {
    const networks = others.map(knownNetwork);
    return some.filter((text) => networks.some((network) => contains(network, knownNetwork(text))));
  };
  return [...new Set([...within(a, b), ...within(b, a)])];
}

/** Addresses that are in the same class in both. */
export function commonClasses(a: ClassMap, b: ClassMap): ClassMap {
  const classOf = new Map(b.elements.map((element) => [element.address, element.class]));
  return {
    name: a.name,
    classes: a.classes.filter((name) => b.classes.includes(name)),
    elements: a.elements.filter((element) => classOf.get(element.address) === element.class),
  };
}
