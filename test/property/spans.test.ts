/** Networks as numbers, held against exact arithmetic. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Family, familyBits, formatNetwork, networkOf } from "#schema/address.ts";
import { meet, type Ranges, rangesOf } from "#core/simulate/ranges.ts";
import { keysOf, findShared, spansOf, unionOf, unitsOf } from "#core/simulate/spans.ts";

/** What one unit of a span holds. */
const unit = { v4: 1n, v6: 1n << 82n } as const satisfies Record<Family, bigint>;

const network = (family: Family) =>
  fc
    .tuple(
      fc.bigInt({ min: 0n, max: (1n << BigInt(familyBits[family])) - 1n }),
      fc.integer({ min: 0, max: family === "v4" ? 32 : 46 }),
    )
    .map(([at, prefix]) => {
      const zeros = BigInt(familyBits[family] - prefix);
      return formatNetwork(networkOf(family, (at >> zeros) << zeros, prefix));
    });

const sizeOf = (ranges: Ranges): bigint =>
  ranges.reduce((sum, [first, last]) => sum + last - first + 1n, 0n);

test.each(["v4", "v6"] as const)(
  "spans of %s hold what exact ranges hold, alone, joined and shared",
  (family) => {
    const some = fc.array(network(family), { maxLength: 12 });
    const spans = (elements: readonly string[]) => spansOf(keysOf(elements)[family], family);
    const units = (elements: readonly string[]): bigint =>
      sizeOf(rangesOf(elements)) / unit[family];
    fc.assert(
      fc.property(some, some, (a, b) => {
        expect(BigInt(unitsOf(spans(a)))).toBe(units(a));
        expect(BigInt(unitsOf(unionOf([spans(a), spans(b)])))).toBe(units([...a, ...b]));
        expect(BigInt(unitsOf(findShared(spans(a), spans(b))))).toBe(
          sizeOf(meet(rangesOf(a), rangesOf(b))) / unit[family],
        );
      }),
      { numRuns: 1_000 },
    );
  },
);

test.each([
  ["2a00::5/128", "2a00::/46"],
  ["2a00::5:0:0/100", "2a00::/46"],
  ["::ffff:1.2.3.4/128", "::/46"],
  ["2a00:1450:4001:80b::/64", "2a00:1450:4000::/46"],
])("%s, longer than what is told apart, counts as %s", (longer, unitNetwork) => {
  expect(spansOf(keysOf([longer]).v6, "v6")).toEqual(spansOf(keysOf([unitNetwork]).v6, "v6"));
});
