/** The bounded memory keeps what was used last, and never more than its bound. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Recent } from "#worker/lib/recent.ts";

type Use = readonly ["get" | "set" | "delete", number];

const arbitraryUses: fc.Arbitrary<readonly Use[]> = fc.array(
  fc.tuple(fc.constantFrom("get" as const, "set" as const, "delete" as const), fc.nat({ max: 30 })),
  { maxLength: 200 },
);

/** The keys used last, the newest first, as often as they are kept. */
const usedLast = (order: readonly number[], most: number): readonly number[] =>
  order.slice(0, most);

test("it never holds more than its bound, never another value, and always the last half of the bound that was used", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 20 }), arbitraryUses, (most, uses) => {
      const recent = new Recent<number, string>(most);
      let order: number[] = [];
      for (const [how, key] of uses) {
        const found = recent.get(key);
        if (order.includes(key) && usedLast(order, Math.floor(most / 2)).includes(key))
          expect(found).toBe(`value ${key}`);
        if (!order.includes(key)) expect(found).toBeUndefined();
        const rest = order.filter((other) => other !== key);
        if (how === "delete") {
          recent.delete(key);
          order = rest;
        } else {
          if (how === "set") recent.set(key, `value ${key}`);
          order = how === "set" || found !== undefined ? [key, ...rest] : order;
        }
        expect(recent.size).toBeLessThanOrEqual(most);
      }
    }),
    { numRuns: 1000 },
  );
});
