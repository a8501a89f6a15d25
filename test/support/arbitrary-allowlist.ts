/**
 * Arbitrary rules of a host that are crowded on purpose: few ports, few sources, so that most packets fit several rules
 * of every kind a renderer tells apart, and the first of them must win.
 */
import fc from "fast-check";
import { type NamedSet, type Rule, type Ruleset, widest } from "#schema/ruleset.ts";

const sets: readonly NamedSet[] = [
  { name: "front", kind: "hosts", elements: ["10.8.0.1", "10.8.0.2", "fd00:8::1"] },
  { name: "lan", kind: "networks", elements: ["10.8.0.0/24", "fd00:8::/64"] },
  { name: "lone", kind: "hosts", elements: ["10.8.0.2", "fd00:8::1", "fd00:8::2"] },
  { name: "nobody", kind: "hosts", elements: [] },
  { name: "staff", kind: "addresses", elements: ["10.8.0.1", "10.8.0.3", "fd00:8::2"] },
];

const exact = fc.constantFrom(80, 81).map((port) => ({ from: port, to: port }));
const wide = fc.constantFrom({ from: 79, to: 81 }, { from: 80, to: 82 });
/** Mostly exact: once a range or a rule that ends has come, a renderer has little choice for what follows. */
const range = fc.oneof({ weight: 12, arbitrary: exact }, { weight: 1, arbitrary: wide });

const rule: fc.Arbitrary<Pick<Rule, "protocol" | "source" | "verdict" | "expires">> = fc.record({
  protocol: fc.record({
    kind: fc.constantFrom("tcp" as const, "udp" as const),
    ports: fc.record({
      kind: fc.constant("ranges" as const),
      ranges: fc.uniqueArray(range, {
        minLength: 1,
        maxLength: 2,
        selector: ({ from, to }) => `${from} ${to}`,
      }),
    }),
    sourcePorts: fc.constant({ kind: "any" as const }),
  }),
  source: fc.oneof(
    { weight: 1, arbitrary: fc.constant({ kind: "any" as const }) },
    {
      weight: 8,
      arbitrary: fc.constantFrom(...sets.map(({ name }) => ({ kind: "set" as const, set: name }))),
    },
  ),
  verdict: fc.constantFrom("accept", "accept", "accept", "accept", "accept", "drop"),
  expires: fc.oneof(
    { weight: 10, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: fc.constantFrom(1_000_000_000, 4_000_000_000) },
  ),
});

/** A ruleset of one host whose rules meet each other. */
export const arbitraryAllowlist: fc.Arbitrary<Ruleset> = fc
  .array(rule, { minLength: 4, maxLength: 12 })
  .map((written) => {
    const place = { scope: "host", direction: "in" } as const;
    const denies = written.filter(({ verdict }) => verdict === "drop");
    const grants = written.filter(({ verdict }) => verdict === "accept");
    const rules = [...denies, ...grants].map((said, i): Rule => ({
      ...widest,
      ...place,
      ...said,
      section: said.verdict === "accept" ? "grant" : "deny",
      row: `services/x#${i}`,
      counter: `r_${i}`,
    }));
    const end: Rule = {
      ...widest,
      ...place,
      section: "end",
      row: "hosts/x#default",
      counter: "r_end",
      verdict: "drop",
    };
    return { scopes: [{ kind: "host" }], sets: [...sets], classes: [], rules: [...rules, end] };
  });
