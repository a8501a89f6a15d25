/** A host's accept rules as look-ups: what a packet meets, in which order, and what depends on members. */
import { describe, expect, it } from "vitest";
import { emptyInventory, renderClosed, skeleton, transaction } from "#core/render/index.ts";
import type { NamedSet, Rule } from "#schema/ruleset.ts";
import { mustRender, ruleOf, rulesetOf, testGuard } from "#test/support/rulesets.ts";

type Ranges = readonly (readonly [number, number])[];

const accept = (
  name: string,
  source: string | null,
  ranges: Ranges,
  more: Partial<Rule> = {},
): Rule =>
  ruleOf({
    scope: "host",
    direction: "in",
    verdict: "accept",
    counter: `r_${name}`,
    source: source === null ? { kind: "any" } : { kind: "set", set: source },
    protocol: {
      kind: "tcp",
      ports: { kind: "ranges", ranges: ranges.map(([from, to]) => ({ from, to })) },
      sourcePorts: { kind: "any" },
    },
    ...more,
  });

const sets = (...front: readonly string[]): NamedSet[] => [
  { name: "back", kind: "hosts", elements: ["10.0.0.9", "fd00::9"] },
  { name: "front", kind: "hosts", elements: [...front] },
  { name: "lan", kind: "networks", elements: ["10.1.0.0/16"] },
  { name: "staff", kind: "addresses", elements: ["10.8.0.2"] },
];
const programOf = (rules: Rule[], front: readonly string[] = ["10.0.0.1"]) =>
  mustRender(rulesetOf({ scopes: [{ kind: "host" }], sets: sets(...front), rules }));

/** How many rules what always passes takes: a closed host has these and its last drop. */
const passing =
  (renderClosed(testGuard).chains.find(({ name }) => name === "input")?.lines.length ?? 0) - 1;

/** Rules of the input chain after what always passes, and of every other chain. */
function shown(rules: Rule[]): Readonly<Record<string, readonly string[]>> {
  const { chains } = programOf(rules);
  return Object.fromEntries(
    chains.map(({ name, lines }) => {
      const texts = lines.map(({ text }) => `${text}`);
      return [name, name === "input" ? texts.slice(passing, -2) : texts];
    }),
  );
}
const elementsOf = (rules: Rule[], map: string): readonly string[] =>
  (programOf(rules).maps.find(({ name }) => name === map)?.elements ?? []).map(
    ({ key, chain }) => `${key} ${chain}`,
  );

const http = [[80, 80]] as const;

describe("rules of exact ports", () => {
  const rules = [
    accept("any", null, [[443, 443]]),
    accept("front", "front", http),
    accept("staff", "staff", http),
    accept("lan", "lan", http),
  ];

  it("are two look-ups for hosts and one for everybody else, however many they are", () => {
    expect(shown(rules)["input"]).toEqual([
      "ip saddr . meta l4proto . th dport vmap @hosts4_in0",
      "ip6 saddr . meta l4proto . th dport vmap @hosts6_in0",
      "meta l4proto . th dport vmap @ports_in0",
    ]);
    const many = Array.from({ length: 50 }, (_, i) =>
      accept(`s${i}`, "lan", [[1000 + i, 1000 + i]]),
    );
    expect(shown([...rules, ...many])["input"]).toEqual(shown(rules)["input"]);
  });

  it("count each row by its own counter, sources of one port in the order of the ruleset", () => {
    const chains = shown(rules);
    expect(chains["row_in0_r_front"]).toEqual([`counter name "r_front" accept`]);
    expect(chains["ports_in0_tcp_443"]).toEqual([`counter name "r_any" accept`]);
    expect(chains["ports_in0_tcp_80"]?.filter((text) => text.startsWith("ip saddr"))).toEqual([
      `ip saddr @a4_staff counter name "r_staff" accept`,
      `ip saddr @n4_lan counter name "r_lan" accept`,
    ]);
  });

  it("give a host that two rows name on one port to the first", () => {
    const twice = [accept("one", "back", http), accept("two", "back", http)];
    expect(elementsOf(twice, "hosts4_in0")).toEqual(["10.0.0.9 . tcp . 80 row_in0_r_one"]);
    expect(elementsOf(twice, "hosts6_in0")).toEqual(["fd00::9 . tcp . 80 row_in0_r_one"]);
  });

  it("let a rule for anybody come before hosts of its port where it stands before them", () => {
    const chains = shown([accept("any", null, http), accept("front", "front", http)]);
    expect(chains["ports_in0_tcp_80"]).toEqual([
      `counter name "r_any" accept`,
      `ip saddr @h4_front counter name "r_front" accept`,
      `ip6 saddr @h6_front counter name "r_front" accept`,
    ]);
  });

  it("change elements and no rule or object when a host joins a role, and when the last one leaves it", () => {
    const joined = programOf(rules, ["10.0.0.1", "10.0.0.2", "fd00::2"]);
    for (const front of [["10.0.0.1"], []]) {
      const before = programOf(rules, front);
      expect(skeleton(joined)).toBe(skeleton(before));
      expect(transaction(joined, emptyInventory)).not.toBe(transaction(before, emptyInventory));
    }
  });

  it("hold a set of hosts once: as keys", () => {
    expect(programOf(rules).sets.map(({ name }) => name)).not.toContain("h4_front");
  });
});

describe("a rule that is no look-up", () => {
  const range = accept("range", "front", [[70, 90]]);
  const ending = accept("ending", "front", http, { expires: 4_000_000_000 });

  it.each([
    ["a range", range],
    ["one that ends", ending],
  ])("keeps its place before later rules of its port: %s", (_, first) => {
    const chains = shown([
      first,
      accept("front", "front", http),
      accept("ssh", "front", [[22, 22]]),
    ]);
    const v4 = (chains["input"] ?? []).filter((text) => text.startsWith("ip saddr"));
    expect(v4.map((text) => /@\w+|r_\w+/g.exec(text)?.[0])).toEqual([
      "@hosts4_in0",
      "@h4_front",
      "@h4_front",
    ]);
    expect(v4[1]).toContain(`"r_${first.counter.slice(2)}"`);
    expect(v4[2]).toContain(`"r_front"`);
    expect(elementsOf([first, accept("ssh", "front", [[22, 22]])], "hosts4_in0")).toHaveLength(1);
  });

  it("does not reach past a rule that drops", () => {
    const drop = accept("no", "lan", http, { verdict: "drop", section: "deny" });
    const texts = shown([drop, accept("a", "lan", http), accept("b", "lan", http)])["input"] ?? [];
    expect(texts.slice(0, -1).every((text) => text.endsWith("drop"))).toBe(true);
    expect(texts.at(-1)).toBe("meta l4proto . th dport vmap @ports_in1");
  });
});
