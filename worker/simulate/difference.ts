/**
 * What changes on a host between two rulesets, in words: rules as lines, sets and class maps by what they are named
 * after. Order of rules is not compared: the compiler's order follows from their content. Pure.
 */
import { compareText } from "#schema/order.ts";
import type { Ruleset } from "#schema/ruleset.ts";
import { describeRule, nameText } from "./describe.ts";

export interface SetDifference {
  /** Such as `zone lan`; what the set or class map is named after. */
  readonly name: string;
  /** In the order of the set; a class map's elements are `address -> group office/dev`. */
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

export interface Difference {
  /** In order of evaluation. */
  readonly rules: { readonly added: readonly string[]; readonly removed: readonly string[] };
  /** Sets whose elements differ, by name. */
  readonly sets: readonly SetDifference[];
}

export function difference(before: Ruleset, after: Ruleset): Difference {
  const old = before.rules.map(describeRule);
  const now = after.rules.map(describeRule);
  return {
    rules: { added: without(now, old), removed: without(old, now) },
    sets: setsBetween(before, after),
  };
}

/** How many addresses, networks and class map entries a ruleset holds. */
export const elementCount = ({ sets, classes }: Ruleset): number =>
  [...sets, ...classes].reduce((sum, { elements }) => sum + elements.length, 0);

function setsBetween(before: Ruleset, after: Ruleset): readonly SetDifference[] {
  const old = elementsByName(before);
  const now = elementsByName(after);
  return [...new Set([...old.keys(), ...now.keys()])]
    .sort(compareText)
    .map((name) => ({
      name: nameText(name),
      added: without(now.get(name) ?? [], old.get(name) ?? []),
      removed: without(old.get(name) ?? [], now.get(name) ?? []),
    }))
    .filter(({ added, removed }) => added.length + removed.length > 0);
}

const elementsByName = ({ sets, classes }: Ruleset): ReadonlyMap<string, readonly string[]> =>
  new Map([
    ...sets.map(({ name, elements }) => [name, elements] as const),
    ...classes.map(
      ({ name, elements }) =>
        [name, elements.map((element) => `${element.address} -> ${nameText(element.class)}`)] as const,
    ),
  ]);

/** Those of `texts` that `others` does not hold, each as often as it is missing there. */
function without(texts: readonly string[], others: readonly string[]): readonly string[] {
  const left = new Map<string, number>();
  for (const text of others) left.set(text, (left.get(text) ?? 0) + 1);
  return texts.filter((text) => {
    const count = left.get(text) ?? 0;
    left.set(text, count - 1);
    return count <= 0;
  });
}
