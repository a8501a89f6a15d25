/** What the renderer prints for one rule, and what it refuses to print. */
import { describe, expect, it } from "vitest";
import {
  emptyInventory,
  inventoryOf,
  render,
  renderClosed,
  transaction,
} from "#core/render/index.ts";
import {
  quoteIdentifier,
  quoteInterface,
  quoteNetwork,
  quoteWord,
} from "#core/render/nft/quote.ts";
import type { Rule, Ruleset } from "#schema/ruleset.ts";
import { groupsRuleset, mustRender, ruleOf, rulesetOf, testGuard } from "#test/support/rulesets.ts";

const scopes: Ruleset["scopes"] = [
  { kind: "host" },
  {
    kind: "overlay",
    name: "lab",
    interfaces: ["tun1"],
    subnets: ["10.9.0.0/24", "10.10.0.0/16", "fd00:9::/64"],
  },
];
const sets: Ruleset["sets"] = [
  { name: "s", kind: "addresses", elements: ["10.9.0.1"] },
  { name: "t", kind: "networks", elements: ["10.0.0.0/8", "192.0.2.1/32", "fd00::/8"] },
];

/** The lines of the chain that holds a rule's counter. */
function linesOf(rule: Partial<Rule> & Pick<Rule, "scope" | "direction">): readonly string[] {
  const written = ruleOf({ verdict: "accept", counter: "r_x", ...rule });
  const program = mustRender(rulesetOf({ scopes, sets, rules: [written] }));
  return program.chains.flatMap(({ lines }) =>
    lines.filter(({ counters }) => counters.includes("r_x")).map(({ text }) => text),
  );
}

const ports = (...ranges: readonly (readonly [number, number])[]) => ({
  kind: "ranges" as const,
  ranges: ranges.map(([from, to]) => ({ from, to })),
});
const host = { scope: "host", direction: "in" } as const;
const peer = { scope: "overlay/lab", direction: "peer" } as const;
const c = 'counter name "r_x"';

describe("a rule", () => {
  const cases: readonly (readonly [
    string,
    Partial<Rule> & Pick<Rule, "scope" | "direction">,
    readonly string[],
  ])[] = [
    ["on anything names no family, so it covers both", host, [`${c} accept`]],
    [
      "from a set has one line for each family, empty or not",
      { ...host, source: { kind: "set", set: "s" } },
      [`ip saddr @a4_s ${c} accept`, `ip6 saddr @a6_s ${c} accept`],
    ],
    [
      "to a set of networks",
      { ...host, destination: { kind: "set", set: "t" }, verdict: "drop" },
      [`ip daddr @n4_t ${c} drop`, `ip6 daddr @n6_t ${c} drop`],
    ],
    [
      "between sets never mixes families",
      { ...host, source: { kind: "set", set: "s" }, destination: { kind: "set", set: "t" } },
      [`ip saddr @a4_s ip daddr @n4_t ${c} accept`, `ip6 saddr @a6_s ip6 daddr @n6_t ${c} accept`],
    ],
    [
      "on ICMP means each family's own",
      { ...host, protocol: { kind: "icmp", types: null } },
      [
        `meta nfproto ipv4 meta l4proto icmp ${c} accept`,
        `meta nfproto ipv6 meta l4proto ipv6-icmp ${c} accept`,
      ],
    ],
    [
      "on one port, drops: accepts of exact ports are looked up",
      {
        ...host,
        verdict: "drop",
        protocol: { kind: "tcp", ports: ports([443, 443]), sourcePorts: { kind: "any" } },
      },
      [`tcp dport 443 ${c} drop`],
    ],
    [
      "on ports, sorted and joined where they touch",
      {
        ...host,
        protocol: {
          kind: "udp",
          ports: ports([90, 95], [53, 53], [80, 89], [94, 99]),
          sourcePorts: { kind: "any" },
        },
      },
      [`udp dport { 53, 80-99 } ${c} accept`],
    ],
    [
      "on all ports",
      { ...host, protocol: { kind: "tcp", ports: { kind: "any" }, sourcePorts: { kind: "any" } } },
      [`meta l4proto tcp ${c} accept`],
    ],
    ["on new connections", { ...host, state: "new" }, [`ct state new ${c} accept`]],
    [
      "on established ones, and related ones are not",
      { ...host, state: "established" },
      [`ct state established ${c} accept`],
    ],
    [
      "that rejects TCP resets it",
      {
        ...host,
        verdict: "reject",
        protocol: { kind: "tcp", ports: { kind: "any" }, sourcePorts: { kind: "any" } },
      },
      [`meta l4proto tcp ${c} reject with tcp reset`],
    ],
    [
      "that rejects UDP says so by ICMP",
      {
        ...host,
        verdict: "reject",
        protocol: { kind: "udp", ports: ports([53, 53]), sourcePorts: { kind: "any" } },
      },
      [`udp dport 53 ${c} reject with icmpx admin-prohibited`],
    ],
    [
      "that rejects everything does each",
      { ...host, verdict: "reject" },
      [`meta l4proto tcp ${c} reject with tcp reset`, `${c} reject with icmpx admin-prohibited`],
    ],
    [
      "to the source's subnet has one line for each prefix length",
      { ...peer, destination: { kind: "source-subnet" } },
      [
        `ip saddr and 255.255.0.0 . ip daddr and 255.255.0.0 @s4_16_lab ${c} accept`,
        `ip saddr and 255.255.255.0 . ip daddr and 255.255.255.0 @s4_24_lab ${c} accept`,
        `ip6 saddr and ffff:ffff:ffff:ffff:: . ip6 daddr and ffff:ffff:ffff:ffff:: @s6_64_lab ${c} accept`,
      ],
    ],
    [
      "that lets out of an overlay hands on to the one it may enter",
      { ...peer, direction: "out" },
      [`${c} goto o_entering`],
    ],
    ["that lets into an overlay is the last word", { ...peer, direction: "in" }, [`${c} accept`]],
  ];
  it.each(cases)("%s", (_, rule, expected) => {
    expect(linesOf(rule)).toEqual(expected);
  });
});

describe("a program", () => {
  it("judges what comes in whatever is declared, and has no other chain for a hook without a scope", () => {
    const hooks = (ruleset: Ruleset) =>
      mustRender(ruleset).chains.flatMap(({ hook }) => hook?.hook ?? []);
    expect(hooks(rulesetOf({}))).toEqual(["input"]);
    expect(hooks(rulesetOf({ scopes: scopes.slice(0, 1) }))).toEqual(["input"]);
    expect(hooks(rulesetOf({ scopes: scopes.slice(1) }))).toEqual(["input", "forward"]);
    const [input] = mustRender(rulesetOf({ scopes: scopes.slice(1) })).chains;
    expect(input?.lines.at(-1)?.decision).toEqual({ kind: "drop" });
  });

  it("keeps the order of rules when classes stand between others", () => {
    const base = groupsRuleset({ a: ["10.8.0.1"], b: ["10.8.0.2"] });
    const [a, b, ...ends] = base.rules;
    if (a === undefined || b === undefined) throw new Error("expected two groups");
    const between = ruleOf({
      scope: "overlay/office",
      direction: "peer",
      verdict: "drop",
      counter: "r_mid",
      protocol: { kind: "icmp", types: null },
    });
    const chains = new Map(
      mustRender({ ...base, rules: [a, b, between, a, ...ends] }).chains.map(({ name, lines }) => [
        name,
        lines.map(({ text }) => text),
      ]),
    );
    expect(chains.get("peer_office")).toEqual([
      "ip saddr vmap @m4_0peer0_k_office",
      "ip6 saddr vmap @m6_0peer0_k_office",
      'meta nfproto ipv4 meta l4proto icmp counter name "r_mid" drop',
      'meta nfproto ipv6 meta l4proto ipv6-icmp counter name "r_mid" drop',
      "ip saddr vmap @m4_0peer2_k_office",
      "ip6 saddr vmap @m6_0peer2_k_office",
      'counter name "r_end_peer_overlay" drop',
      "drop",
    ]);
    expect(chains.get("c_0peer2_k_a")).toHaveLength(2);
    expect(chains.has("c_0peer2_k_b")).toBe(false);
  });

  it("has as many rules for a thousand members as for none", () => {
    const many = Array.from({ length: 1000 }, (_, i) => `10.8.${i >> 8}.${i & 255}`);
    const rules = (members: readonly string[]) =>
      mustRender(groupsRuleset({ dev: members })).chains.map(({ name, lines }) => [
        name,
        lines.length,
      ]);
    expect(rules(many)).toEqual(rules([]));
  });

  it("is the same for the closed ruleset whatever a bundle says, management first after loopback", () => {
    const [input] = renderClosed(testGuard).chains;
    expect(input?.lines.slice(0, 2).map(({ text }) => text)).toEqual([
      'iif "lo" accept',
      'iifname "mgmt0" accept',
    ]);
    expect(renderClosed(testGuard).chains.map(({ lines }) => lines.at(-1)?.text)).toEqual([
      "drop",
      "drop",
    ]);
  });

  it("refuses a counter whose name could be a keyword, and says which", () => {
    const bad = ruleOf({ ...host, verdict: "drop", counter: "drop" });
    expect(render(rulesetOf({ scopes: scopes.slice(0, 1), rules: [bad] }), testGuard)).toEqual({
      ok: false,
      code: "render_unsupported",
      message: 'expected an nft object name such as r_web, got "drop"',
    });
  });
});

describe("a transaction", () => {
  const program = mustRender(groupsRuleset({ dev: ["10.8.0.1", "fd00:8::1"] }));

  it("flushes and never deletes what it will declare again", () => {
    expect(transaction(program, inventoryOf(program))).toBe(transaction(program, emptyInventory));
    expect(transaction(program, emptyInventory)).toMatch(
      /^add table inet portcullis\nflush table inet portcullis\n/,
    );
    expect(transaction(program, inventoryOf(program))).not.toMatch(/^delete/m);
  });

  it("deletes stale objects by name, maps before the chains that they hold", () => {
    const stale = inventoryOf(mustRender(groupsRuleset({ dev: [], ops: [] })));
    const deleted = transaction(program, stale)
      .split("\n")
      .filter((text) => text.startsWith("delete "));
    expect(deleted).toEqual([
      "delete set inet portcullis a4_g_ops",
      "delete set inet portcullis a6_g_ops",
      "delete chain inet portcullis c_0peer0_k_ops",
      "delete counter inet portcullis r_ops",
    ]);
    const closed = transaction(renderClosed(testGuard), inventoryOf(program));
    const kinds = closed.split("\n").flatMap((text) => /^delete (\w+)/.exec(text)?.[1] ?? []);
    expect([...new Set(kinds)]).toEqual(["map", "set", "chain", "counter"]);
  });

  it.each([
    ["a foreign object", { ...inventoryOf(program), foreign: true }],
    ["a name that we never make", { ...emptyInventory, counters: ["x; flush ruleset"] }],
    [
      "a chain of ours at another hook",
      { ...emptyInventory, chains: [{ name: "forward", shape: "filter input 0" }] },
    ],
    [
      "a set of ours with other flags",
      { ...emptyInventory, sets: [{ name: "a4_g_dev", shape: "ipv4_addr interval" }] },
    ],
  ])("makes the table anew, in the same transaction, when it holds %s", (_, present) => {
    expect(transaction(program, present)).toMatch(
      /^add table inet portcullis\ndelete table inet portcullis\ntable /,
    );
  });
});

describe("quoting refuses what could end a word", () => {
  const evil = [
    'a"b',
    "a b",
    "a;b",
    "a\nb",
    "a\0b",
    "a{b",
    "a#b",
    "a$b",
    "a*",
    "a@b",
    "a\\b",
    "ä",
    "",
  ];
  it.each(evil)("%j", (text) => {
    for (const quote of [quoteIdentifier, quoteInterface, quoteNetwork, quoteWord])
      expect(() => quote(text)).toThrow(/expected/);
    expect(() => quoteIdentifier(`r_${text}`)).toThrow(/expected/);
  });

  it("knows the longest names", () => {
    expect(quoteInterface("a23456789012345")).toBe('"a23456789012345"');
    expect(() => quoteInterface("a234567890123456")).toThrow(/expected/);
    expect(() => quoteIdentifier(`r_${"x".repeat(254)}`)).toThrow(/expected/);
  });
});
