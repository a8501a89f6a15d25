/** Rules and sets in words, as every preview shows them. */
import { describe, expect, test } from "vitest";
import { compile } from "#compile/index.ts";
import { encodeName } from "#schema/names.ts";
import { kinds, type Snapshot } from "#schema/intent.ts";
import { emptyRuleset, type Rule, type Ruleset } from "#schema/ruleset.ts";
import { unixSeconds } from "#schema/time.ts";
import { describeRule, nameText } from "#simulate/describe.ts";
import { difference, elementCount } from "#simulate/difference.ts";

const rule: Rule = {
  row: "services/web#0123456789ab",
  scope: "host",
  layer: "l3",
  direction: "in",
  protocol: { kind: "tcp", ports: { kind: "ranges", ranges: [{ from: 443, to: 443 }] } },
  source: { kind: "set", set: "n_zone_lan" },
  destination: { kind: "any" },
  state: "any",
  verdict: "accept",
  counter: "r_web",
  expires: null,
};
const row = "(services/web#0123456789ab)";

describe("a rule as a line", () => {
  test.each<readonly [Partial<Rule>, string]>([
    [{}, `accept tcp 443 in from zone lan ${row}`],
    [{ source: { kind: "any" }, protocol: { kind: "icmp" } }, `accept icmp in from any ${row}`],
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
        },
      },
      `accept udp 1-9,53 in from zone lan ${row}`,
    ],
    [{ protocol: { kind: "udp", ports: { kind: "any" } } }, `accept udp in from zone lan ${row}`],
    [{ verdict: "drop", protocol: { kind: "any" }, source: { kind: "any" } }, `drop any in from any ${row}`],
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
    expect(describeRule({ ...rule, expires: unixSeconds(text) ?? -1 })).toContain(` until ${text} `);
  });

  test.each(["a", "_", "__", "a_b.c-D", "._-_.", "x_2e", "1_f"])("reads the name %j back", (name) => {
    expect(nameText(`h_role_${encodeName(name)}`)).toBe(`role ${name}`);
  });
});

const snapshot = (zone: readonly string[], port: number): Snapshot => ({
  revision: 1,
  hosts: new Map([["web1", kinds.host.body.parse({ roles: ["web"] })]]),
  overlays: new Map(),
  members: new Map(),
  services: new Map([["web", kinds.service.body.parse({ ingress: [{ from: "lan", port, proto: "tcp" }] })]]),
  zones: new Map([["lan", kinds.zone.body.parse({ cidrs: zone })]]),
});

function rulesetOf(zone: readonly string[], port = 443): Ruleset {
  const compiled = compile(snapshot(zone, port));
  const ruleset = compiled.ok ? compiled.rulesets.get("web1") : undefined;
  if (ruleset === undefined) throw new Error("expected a ruleset");
  return ruleset;
}

describe("the difference of two rulesets", () => {
  test("is nothing between equal ones", () => {
    const ruleset = rulesetOf(["10.0.0.0/8"]);
    expect(difference(ruleset, ruleset)).toEqual({ rules: { added: [], removed: [] }, sets: [] });
  });

  test("is elements alone where a set grows, and names the set as people do", () => {
    const grown = difference(rulesetOf(["10.0.0.0/8"]), rulesetOf(["10.0.0.0/8", "192.0.2.0/24"]));
    expect(grown).toEqual({
      rules: { added: [], removed: [] },
      sets: [{ name: "zone lan", added: ["192.0.2.0/24"], removed: [] }],
    });
  });

  test("is one rule out and one in where a port changes", () => {
    const { rules, sets } = difference(rulesetOf(["10.0.0.0/8"], 443), rulesetOf(["10.0.0.0/8"], 444));
    expect(rules.removed).toHaveLength(1);
    expect(rules.removed[0]).toMatch(/^accept tcp 443 in from zone lan /);
    expect(rules.added[0]).toMatch(/^accept tcp 444 in from zone lan /);
    expect(sets).toEqual([]);
  });

  test("counts a line as often as it stands there", () => {
    const twice = { ...emptyRuleset, rules: [rule, rule] };
    const thrice = { ...emptyRuleset, rules: [rule, rule, rule] };
    expect(difference(twice, thrice).rules).toEqual({ added: [describeRule(rule)], removed: [] });
    expect(difference(thrice, twice).rules).toEqual({ added: [], removed: [describeRule(rule)] });
  });

  test("shows a class map's member that moves, and counts its entries as elements", () => {
    const moved = (name: string): Ruleset => ({
      ...emptyRuleset,
      classes: [{ name: "m_office", classes: [name], elements: [{ address: "10.8.0.2", class: name }] }],
    });
    expect(elementCount(moved("k_office_2fdev"))).toBe(1);
    expect(difference(moved("k_office_2fdev"), moved("k_office_2fops")).sets).toEqual([
      {
        name: "groups of overlay office",
        added: ["10.8.0.2 -> group office/ops"],
        removed: ["10.8.0.2 -> group office/dev"],
      },
    ]);
  });
});
