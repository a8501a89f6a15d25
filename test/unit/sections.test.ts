/** Rules out of their sections, and matches without a meaning where they stand, are refused by name. */
import { expect, test } from "vitest";
import { type Rule, Ruleset, type Scope } from "#schema/ruleset.ts";
import { ruleOf, rulesetOf } from "#test/support/rulesets.ts";

const grant: Rule = ruleOf({ scope: "host", direction: "in", verdict: "accept", counter: "r_a" });
const deny: Rule = {
  ...grant,
  section: "deny",
  verdict: "drop",
  counter: "r_d",
  source: { kind: "set", set: "n_a" },
};
const end: Rule = { ...grant, section: "end", verdict: "drop", counter: "r_e" };
const base = rulesetOf({
  scopes: [{ kind: "host" }],
  sets: [{ name: "n_a", kind: "networks", elements: ["10.0.0.0/8"] }],
});
const faultsOf = (parts: Partial<Ruleset>): readonly string[] =>
  (Ruleset.safeParse({ ...base, ...parts }).error?.issues ?? []).map(
    ({ path, message }) => `${path.join("/")}: ${message}`,
  );

test("denies, grants, refusals and one last word are in order", () => {
  expect(faultsOf({ rules: [deny, grant, { ...deny, section: "end" }, end] })).toEqual([]);
  expect(faultsOf({ rules: [grant, { ...end, verdict: "accept" }] })).toEqual([]);
});

test.each<readonly [string, readonly Rule[]]>([
  ["rules/1/section: expected deny before grant", [grant, deny, end]],
  [
    "rules/1/section: expected no rule after an end that accepts",
    [{ ...end, verdict: "accept" }, end],
  ],
  ["rules/0/verdict: expected drop in section deny", [{ ...deny, verdict: "accept" }, end]],
  ["rules/0/verdict: expected accept in section grant", [{ ...grant, verdict: "drop" }, end]],
  [
    "rules/0/section: expected section deny for not-set",
    [{ ...grant, source: { kind: "not-set", set: "n_a" } }, end],
  ],
  [
    "rules/0/rate: expected section grant for a rate",
    [{ ...deny, rate: { newPerSecond: 1, burst: 1 } }, end],
  ],
  ["rules/0/from: expected a time before expires", [{ ...grant, from: 9, expires: 9 }, end]],
  ["rules/0/protocol: expected layer l2 for arp", [{ ...grant, protocol: { kind: "arp" } }, end]],
  ["rules/0/layer: expected a vnic scope for layer l2", [{ ...grant, layer: "l2" }, end]],
  ["rules/0/source: expected a vnic scope for own", [{ ...grant, source: { kind: "own" } }, end]],
  [
    "rules/0/source/set: expected a declared set",
    [{ ...grant, source: { kind: "set-except", set: "n_a", except: "n_b" } }, end],
  ],
  ["scopes/0: expected direction in to end in a rule that matches everything", [deny, grant]],
])("%s", (fault, rules) => {
  expect(faultsOf({ rules: [...rules] })).toContain(fault);
});

test("a protocol has one spelling, and classes share no address", () => {
  const number = faultsOf({ rules: [{ ...grant, protocol: { kind: "ip", number: 6 } }, end] });
  expect(number).toEqual(["rules/0/protocol/number: expected kind tcp for protocol 6"]);
  const sets = ["g_a", "g_b"].map((name) => ({
    name,
    kind: "addresses" as const,
    elements: ["10.8.0.1"],
  }));
  const classes = [
    {
      name: "m",
      classes: [
        { name: "k_a", set: "g_a" },
        { name: "k_b", set: "g_b" },
      ],
    },
  ];
  expect(faultsOf({ sets, classes, rules: [grant, end] })).toEqual([
    "classes/0/classes/1/set: expected each address in one class",
  ]);
});

test("classes hold no more members together than a host can look up, however often a set is named", () => {
  const elements = Array.from({ length: 1_000 }, (_, i) => `10.8.${i >> 8}.${i & 255}`);
  const naming = (maps: number): Partial<Ruleset> => ({
    sets: [{ name: "g_a", kind: "addresses", elements }],
    classes: Array.from({ length: maps }, (_, i) => ({
      name: `m_${i}`,
      classes: [{ name: "k_a", set: "g_a" }],
    })),
    rules: [grant, end],
  });
  expect(faultsOf(naming(262))).toEqual([]);
  expect(faultsOf(naming(263))).toEqual([
    "classes: expected at most 262144 members of all classes, found 263000",
  ]);
});

test("a device is judged by one scope, and a scope is declared once", () => {
  const scope: Scope = {
    kind: "network",
    name: "web",
    bridge: "br0",
    subnets: ["172.18.0.0/16"],
    inside: "open",
    egress: "routed",
  };
  const twice = faultsOf({ scopes: [{ kind: "host" }, scope, { ...scope, name: "app" }] });
  expect(twice).toContain("scopes/1: expected no duplicates");
});
