/** Bundles and canonical text at the limits: refused by the first fault, in one sentence, whatever a signer made of them. */
import { expect, test } from "vitest";
import { decodeBundle, sizeLimits } from "#schema/bundle.ts";
import { encodeCanonical, parseCanonical } from "#schema/canonical.ts";
import { emptyRuleset } from "#schema/ruleset.ts";

const bundleOf = (parts: object): Uint8Array =>
  encodeCanonical({ format: 1, ruleset: { ...emptyRuleset, ...parts } });
const setOf = (elements: readonly unknown[]): object => ({
  sets: [{ name: "a", kind: "networks", elements }],
});

test.each<[string, object, string]>([
  [
    "elements of another type",
    setOf(Array(1_000_000).fill(1)),
    "/ruleset/sets/0/elements/0: expected an address",
  ],
  [
    "elements that are no addresses",
    setOf(Array(1_000_000).fill("")),
    "/ruleset/sets/0/elements/0: expected an IP",
  ],
  [
    "more elements than a set may hold",
    setOf(Array(1_048_577).fill(1)),
    "/ruleset/sets/0/elements: expected at most",
  ],
  [
    "one element, said often",
    setOf(Array(350_000).fill("::1")),
    "/ruleset/sets/0/elements/1: expected no duplicates",
  ],
  ["rules that are none", { rules: Array(65_000).fill({}) }, "/ruleset/rules/0/row"],
  [
    "fields nobody knows",
    Object.fromEntries(Array.from({ length: 200_000 }, (_, i) => [`k${i}`, 1])),
    "/ruleset: ",
  ],
])("a bundle of %s is refused by its first fault, in one sentence", (_, parts, message) => {
  const bytes = bundleOf(parts);
  expect(bytes.length).toBeLessThan(sizeLimits.bundle);
  const decoded = decodeBundle(bytes);
  if (decoded.ok) throw new Error("expected a refusal");
  expect(decoded.code).toBe("bundle_schema");
  expect(decoded.message).toContain(message);
  expect(decoded.message.length).toBeLessThanOrEqual(300);
});

test("text that nests deeper than what we sign is not encoded again, whatever stands in its strings", () => {
  const nested = (depth: number, inside: string): unknown =>
    parseCanonical(new TextEncoder().encode("[".repeat(depth) + inside + "]".repeat(depth)));
  expect(nested(32, JSON.stringify('[{"\\'.repeat(100)))).toBeDefined();
  expect(nested(33, "1")).toBeUndefined();
  expect(nested(5_000, JSON.stringify("a".repeat(4_000_000)))).toBeUndefined();
});
