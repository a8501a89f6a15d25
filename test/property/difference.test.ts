/** Whoever signs sees all that they sign: the words of a difference leave no byte of a ruleset out. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compile } from "#core/compile/index.ts";
import { formatCanonical } from "#schema/canonical.ts";
import { compareText } from "#schema/order.ts";
import { emptyRuleset, Ruleset } from "#schema/ruleset.ts";
import { type Difference, compareRulesets } from "#core/simulate/difference.ts";
import { arbitraryIntent } from "../support/arbitraries.ts";
import { arbitraryRuleset } from "../support/arbitrary-ruleset.ts";
import { snapshotOf } from "../support/intent.ts";

const linesOf = ({ scopes, rules, sets, other }: Difference): readonly string[] => [
  ...[scopes, rules, ...sets].flatMap(({ added, removed }) => [...added, ...removed]),
  ...other,
];

const compiled: fc.Arbitrary<Ruleset> = arbitraryIntent.map((rows) => {
  const result = compile(snapshotOf(rows));
  const [ruleset] = result.ok ? [...result.rulesets.values()] : [];
  return ruleset ?? emptyRuleset;
});
const someRuleset = fc.oneof(arbitraryRuleset, compiled);

type Fields = Readonly<Record<string, unknown>>;
const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Every value that one edit anywhere in a value gives: a leaf changed, an item gone, doubled or moved, a field more or less. */
function* edits(value: unknown): Generator {
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value;
    for (const [i, item] of items.entries()) {
      for (const edited of edits(item)) yield items.with(i, edited);
      yield items.toSpliced(i, 1);
      yield items.toSpliced(i, 0, item);
      if (i > 0) yield items.toSpliced(i, 1).toSpliced(0, 0, item);
    }
  } else if (isFields(value)) {
    for (const [key, held] of Object.entries(value)) {
      for (const edited of edits(held)) yield { ...value, [key]: edited };
      // Without one of the four lists it is no ruleset at all.
      if (!Array.isArray(held))
        yield Object.fromEntries(Object.entries(value).filter(([other]) => other !== key));
    }
    yield { ...value, added_later: 1 };
  } else if (typeof value === "string") yield `${value}x`;
  else yield typeof value === "number" ? value + 1 : 7;
}

/** What no reader admits, such as a source without its kind, may have no words. */
const readable = (before: Ruleset, after: unknown): Difference | undefined => {
  try {
    return compareRulesets(before, after as Ruleset);
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) return undefined;
    throw error;
  }
};

const unordered = (ruleset: Ruleset): string =>
  formatCanonical({ ...ruleset, rules: ruleset.rules.map(formatCanonical).sort(compareText) });

describe("the difference of two rulesets", () => {
  test("is empty exactly when their canonical bytes are equal", () => {
    fc.assert(
      fc.property(someRuleset, someRuleset, (a, b) => {
        expect(linesOf(compareRulesets(a, a))).toEqual([]);
        expect(linesOf(compareRulesets(a, b)).length === 0).toBe(
          formatCanonical(a) === formatCanonical(b),
        );
      }),
      { numRuns: 100 },
    );
  });

  test("shows each single edit of any field, known today or added later", () => {
    let seen = 0;
    fc.assert(
      fc.property(someRuleset, fc.nat(), (ruleset, pick) => {
        const all = [...edits(ruleset)];
        for (const edited of all.filter((_, i) => i % 5 === pick % 5)) {
          const found = readable(ruleset, edited);
          if (found === undefined || formatCanonical(edited) === formatCanonical(ruleset)) continue;
          seen += 1;
          expect(linesOf(found), formatCanonical(edited)).not.toEqual([]);
        }
      }),
      { numRuns: 15 },
    );
    expect(seen, "edits").toBeGreaterThan(500);
  });

  test("shows an edit also behind others: no two rulesets look alike from a third, order aside", () => {
    let seen = 0;
    fc.assert(
      fc.property(someRuleset, someRuleset, fc.nat(), fc.nat(), (other, ruleset, pick, twist) => {
        const all = [...edits(ruleset)];
        const admitted = (first: number): Ruleset | undefined =>
          [0, 1, 2, 3, 4, 5]
            .map((step) => Ruleset.safeParse(all[(first + step * 7) % all.length]).data)
            .find((each) => each !== undefined);
        const edited = admitted(pick);
        const base = admitted(twist) ?? other;
        if (edited === undefined || unordered(edited) === unordered(ruleset)) return;
        seen += 1;
        expect(compareRulesets(base, edited), formatCanonical(edited)).not.toEqual(
          compareRulesets(base, ruleset),
        );
      }),
      { numRuns: 200 },
    );
    expect(seen, "edits").toBeGreaterThan(60);
  });
});
