/** Rules and sets in words, as every preview shows them. */
import { widest } from "#schema/ruleset.ts";
import { describe, expect, test } from "vitest";
import { compile } from "#core/compile/index.ts";
import { encodeName } from "#schema/names.ts";
import { kinds, type Snapshot } from "#schema/intent.ts";
import { emptyRuleset, type Rule, type Ruleset } from "#schema/ruleset.ts";
import { parseUnixSeconds } from "#schema/time.ts";
import { describeRule, formatName } from "#core/simulate/describe.ts";
import { type Difference, compareRulesets, elementCount } from "#core/simulate/difference.ts";

const rule: Rule = {
  ...widest,
  row: "services/web#0123456789ab",
  scope: "host",
  section: "grant",
  direction: "in",
  protocol: {
    kind: "tcp",
    ports: { kind: "ranges", ranges: [{ from: 443, to: 443 }] },
    sourcePorts: { kind: "any" },
  },
  source: { kind: "set", set: "n_zone_lan" },
  verdict: "accept",
  counter: "r_services_2fweb_230123456789ab",
};
const row = "(services/web#0123456789ab)";

describe("a rule as a line", () => {
  test.each<readonly [Partial<Rule>, string]>([
    [{}, `accept tcp 443 in from zone lan ${row}`],
    [
      { source: { kind: "any" }, protocol: { kind: "icmp", types: null } },
      `accept icmp in from any ${row}`,
    ],
    [
      {
        protocol: {
          kind: "udp",
          ports: {
            kind: "ranges",
            ranges: [
              { from: 1, to: 9 },
              { from: 53, to: 53 },
            ],
          },
          sourcePorts: { kind: "any" },
        },
      },
      `accept udp 1-9,53 in from zone lan ${row}`,
    ],
    [
      { protocol: { kind: "udp", ports: { kind: "any" }, sourcePorts: { kind: "any" } } },
      `accept udp in from zone lan ${row}`,
    ],
    [
      { section: "end", verdict: "drop", protocol: { kind: "any" }, source: { kind: "any" } },
      `drop any in from any ${row}`,
    ],
    [
      { section: "deny", verdict: "drop", source: { kind: "not-set", set: "n_zone_lan" } },
      `drop deny tcp 443 in from all but zone lan ${row}`,
    ],
    [
      {
        arrives: ["eth0", "eth1"],
        protocol: { kind: "icmp", types: { v4: [8], v6: [128] } },
        source: { kind: "set-except", set: "n_zone_lan", except: "h_host_a" },
        rate: { newPerSecond: 50, burst: 100 },
        log: true,
        from: 0,
      },
      `accept icmp type v4:8 v6:128 in by eth0,eth1 from zone lan except host a at 50 new a second, burst 100 logged since 1970-01-01T00:00:00Z ${row}`,
    ],
    [{ state: "new" }, `accept tcp 443 in from zone lan state new ${row}`],
    [
      {
        scope: "overlay/office",
        direction: "peer",
        protocol: { kind: "any" },
        source: { kind: "class", map: "m_office", class: "k_office_2fdev" },
        destination: { kind: "set", set: "g_office_2fdev" },
      },
      `accept any peer on overlay office from group office/dev to group office/dev ${row}`,
    ],
    [{ counter: "r_web" }, `accept tcp 443 in from zone lan ${row} counted as r_web`],
    [
      { source: { kind: "class", map: "m_lab", class: "k_office_2fdev" } },
      `accept tcp 443 in from group office/dev of groups of overlay lab ${row}`,
    ],
    [
      { destination: { kind: "source-subnet" } },
      `accept tcp 443 in from zone lan to the source's own subnet ${row}`,
    ],
  ])("says what it matches and what it came from: %j", (over, text) => {
    expect(describeRule({ ...rule, ...over })).toBe(text);
  });

  test.each([
    "1970-01-01T00:00:00Z",
    "1999-12-31T23:59:59Z",
    "2000-02-29T12:00:00Z",
    "2000-03-01T00:00:00Z",
    "2100-02-28T23:59:59Z",
    "2100-03-01T00:00:00Z",
    "2262-04-11T23:47:16Z",
  ])("says an expiry as the catalog wrote it: %s", (text) => {
    expect(describeRule({ ...rule, expires: parseUnixSeconds(text) ?? -1 })).toContain(
      ` until ${text} `,
    );
  });

  test.each(["a", "_", "__", "a_b.c-D", "._-_.", "x_2e", "1_f"])(
    "reads the name %j back",
    (name) => {
      expect(formatName(`h_role_${encodeName(name)}`)).toBe(`role ${name}`);
    },
  );
});

const snapshot = (zone: readonly string[], port: number): Snapshot => ({
  revision: 1,
  hosts: new Map([["web1", kinds.host.body.parse({ roles: ["web"] })]]),
  overlays: new Map(),
  members: new Map(),
  services: new Map([
    ["web", kinds.service.body.parse({ ingress: [{ from: "lan", port, proto: "tcp" }] })],
  ]),
  zones: new Map([["lan", kinds.zone.body.parse({ cidrs: zone })]]),
});

function rulesetOf(zone: readonly string[], port = 443): Ruleset {
  const compiled = compile(snapshot(zone, port));
  const ruleset = compiled.ok ? compiled.rulesets.get("web1") : undefined;
  if (ruleset === undefined) throw new Error("expected a ruleset");
  return ruleset;
}

const nothing: Difference = {
  scopes: { added: [], removed: [] },
  rules: { added: [], removed: [] },
  sets: [],
  other: [],
};

describe("the difference of two rulesets", () => {
  test("is nothing between equal ones", () => {
    const ruleset = rulesetOf(["10.0.0.0/8"]);
    expect(compareRulesets(ruleset, ruleset)).toEqual(nothing);
  });

  test("is elements alone where a set grows, and names the set as people do", () => {
    const grown = compareRulesets(
      rulesetOf(["10.0.0.0/8"]),
      rulesetOf(["10.0.0.0/8", "192.0.2.0/24"]),
    );
    expect(grown).toEqual({
      ...nothing,
      sets: [{ name: "zone lan", added: ["192.0.2.0/24"], removed: [] }],
    });
  });

  test("is one rule out and one in where a port changes", () => {
    const { rules, sets } = compareRulesets(
      rulesetOf(["10.0.0.0/8"], 443),
      rulesetOf(["10.0.0.0/8"], 444),
    );
    expect(rules.removed).toHaveLength(1);
    expect(rules.removed[0]).toMatch(/^accept tcp 443 in from zone lan /);
    expect(rules.added[0]).toMatch(/^accept tcp 444 in from zone lan /);
    expect(sets).toEqual([]);
  });

  const office = (interfaces: readonly string[], subnets: readonly string[]): Ruleset => ({
    ...emptyRuleset,
    scopes: [
      { kind: "overlay", name: "office", interfaces: [...interfaces], subnets: [...subnets] },
    ],
  });

  test("shows a subnet that grows and an interface that goes", () => {
    const before = office(["tun0", "tun1"], ["10.8.0.0/24"]);
    expect(compareRulesets(before, office(["tun0", "tun1"], ["10.8.0.0/16"])).scopes).toEqual({
      added: ["overlay office by tun0,tun1 for 10.8.0.0/16"],
      removed: ["overlay office by tun0,tun1 for 10.8.0.0/24"],
    });
    expect(compareRulesets(before, office(["tun0"], ["10.8.0.0/24"])).scopes.added).toEqual([
      "overlay office by tun0 for 10.8.0.0/24",
    ]);
  });

  test("shows a rule that moved, and where a new one stands when the order decides", () => {
    const ssh: Rule = { ...rule, row: "services/ssh#1", counter: "r_services_2fssh_231" };
    const end: Rule = {
      ...rule,
      verdict: "drop",
      row: "defaults/host#in",
      counter: "r_defaults_2fhost_23in",
    };
    const ruleset = (...rules: Rule[]): Ruleset => ({ ...emptyRuleset, rules });
    expect(compareRulesets(ruleset(rule, ssh, end), ruleset(end, rule, ssh)).other).toEqual([
      `order of rules: ${describeRule(end)} is the first`,
    ]);
    expect(compareRulesets(ruleset(rule, end), ruleset(rule, ssh, end)).other).toEqual([]);
    expect(compareRulesets(ruleset(rule, end), ruleset(rule, end, ssh)).other).toEqual([
      `order of rules: ${describeRule(ssh)} stands behind ${describeRule(end)}`,
    ]);
  });

  test("shows a set that is of another kind, and one that is new without elements", () => {
    const held = (kind: "hosts" | "networks"): Ruleset => ({
      ...emptyRuleset,
      sets: [{ name: "n_zone_lan", kind, elements: [] }],
    });
    expect(compareRulesets(held("hosts"), held("networks")).other).toEqual([
      'set zone lan kind: "hosts" -> "networks"',
    ]);
    expect(compareRulesets(emptyRuleset, held("networks")).other).toEqual([
      'set zone lan is new: {"kind":"networks","name":"n_zone_lan"}',
    ]);
    expect(compareRulesets(held("networks"), emptyRuleset).other).toEqual(["set zone lan is gone"]);
    const filled = rulesetOf(["10.0.0.0/8"]);
    const usual = { ...emptyRuleset, sets: filled.sets };
    expect(compareRulesets(emptyRuleset, usual).other).toEqual([]);
    expect(compareRulesets(usual, held("networks")).other).toEqual([
      "set zone lan matches nothing now",
    ]);
    const odd = filled.sets.map((set) => ({ ...set, kind: "hosts" as const }));
    expect(compareRulesets(emptyRuleset, { ...usual, sets: odd }).other).toEqual([
      'set zone lan is new: {"kind":"hosts","name":"n_zone_lan"}',
    ]);
  });

  test("shows a field that it has no words for as it stands in the bytes", () => {
    const later = { ...rule, later: 1 };
    const before: Ruleset = { ...emptyRuleset, rules: [rule] };
    const { rules } = compareRulesets(before, { ...before, rules: [later] });
    expect(rules.added).toEqual([expect.stringMatching(/ \{.*"later":1.*\}$/)]);
    expect(rules.removed).toEqual([expect.not.stringContaining("later")]);
    const newer = { ...emptyRuleset, later: { since: 7 } };
    expect(compareRulesets(emptyRuleset, newer).other).toEqual(['later: nothing -> {"since":7}']);
  });

  test("counts a line as often as it stands there", () => {
    const twice = { ...emptyRuleset, rules: [rule, rule] };
    const thrice = { ...emptyRuleset, rules: [rule, rule, rule] };
    expect(compareRulesets(twice, thrice).rules).toEqual({
      added: [describeRule(rule)],
      removed: [],
    });
    expect(compareRulesets(thrice, twice).rules).toEqual({
      added: [],
      removed: [describeRule(rule)],
    });
  });

  test("shows a class map's member that moves, and counts its entries as elements", () => {
    const moved = (name: string): Ruleset => ({
      ...emptyRuleset,
      sets: [{ name: "g_office", kind: "addresses", elements: ["10.8.0.2"] }],
      classes: [{ name: "m_office", classes: [{ name, set: "g_office" }] }],
    });
    expect(elementCount(moved("k_office_2fdev"))).toBe(2);
    expect(compareRulesets(moved("k_office_2fdev"), moved("k_office_2fops")).sets).toEqual([
      {
        name: "groups of overlay office",
        added: ["10.8.0.2 -> group office/ops"],
        removed: ["10.8.0.2 -> group office/dev"],
      },
    ]);
  });
});
