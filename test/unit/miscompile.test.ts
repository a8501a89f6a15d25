/**
 * The classes of silent mis-compilation that other firewalls' changelogs confess, one test each. Every test judges a
 * packet that would pass if we made that mistake, and one that must pass so that the test is no tautology.
 */
import { describe, expect, test } from "vitest";
import { compile } from "#core/compile/index.ts";
import { formatCanonical } from "#schema/canonical.ts";
import { Ruleset } from "#schema/ruleset.ts";
import type { Packet } from "#core/simulate/index.ts";
import { simulate } from "#core/simulate/index.ts";
import type { WrittenRow } from "../support/intent.ts";
import { IntentRows, snapshotOf } from "../support/intent.ts";

type Grant = Extract<WrittenRow, { kind: "service" }>["body"]["ingress"][number];
const web: WrittenRow = {
  kind: "host",
  key: "web1",
  body: { addresses: ["10.0.0.1"], roles: ["web"] },
};
const lan: WrittenRow = { kind: "zone", key: "lan", body: { cidrs: ["10.0.0.0/24", "fd00::/64"] } };
const service = (...ingress: Grant[]): WrittenRow => ({
  kind: "service",
  key: "web",
  body: { ingress },
});
const https = { port: 443, proto: "tcp" } as const;

function rulesetOf(...rows: readonly WrittenRow[]): Ruleset {
  const compiled = compile(snapshotOf(rows));
  const ruleset = compiled.ok ? compiled.rulesets.get("web1") : undefined;
  if (ruleset === undefined) throw new Error(JSON.stringify(compiled));
  return Ruleset.parse(ruleset);
}

const arriving = (source: string, what: Partial<Packet> = {}): Packet => ({
  hook: "input",
  iif: "eth0",
  source,
  destination: source.includes(":") ? "fd00::1" : "10.0.0.1",
  state: "new",
  protocol: "tcp",
  port: 443,
  ...(what as object),
});
const verdict = (ruleset: Ruleset, packet: Packet) => simulate(ruleset, packet).verdict;

describe("silent mis-compilation", () => {
  test.each<[string, string, readonly WrittenRow[]]>([
    ["zone", "zone:none", [{ kind: "zone", key: "none", body: {} }]],
    ["role", "role:none", [{ kind: "service", key: "none", body: { ingress: [] } }]],
    ["host", "host:none", [{ kind: "host", key: "none", body: {} }]],
  ])("empty set → any: an empty %s lets nobody in, and stays a rule", (_, from, rows) => {
    const ruleset = rulesetOf(
      web,
      lan,
      ...rows,
      service({ from, ...https }, { from: "lan", port: 80, proto: "tcp" }),
    );
    expect(verdict(ruleset, arriving("203.0.113.9"))).toBe("drop");
    expect(verdict(ruleset, arriving("2001:db8::9"))).toBe("drop");
    expect(verdict(ruleset, arriving("10.0.0.9", { port: 80 }))).toBe("accept");
    expect(ruleset.rules).toHaveLength(3);
  });

  test("lost condition: source, protocol and port must all hold", () => {
    const ruleset = rulesetOf(web, lan, service({ from: "lan", ...https }));
    expect(verdict(ruleset, arriving("10.0.0.9"))).toBe("accept");
    expect(verdict(ruleset, arriving("10.0.1.9"))).toBe("drop");
    expect(verdict(ruleset, arriving("10.0.0.9", { protocol: "udp" }))).toBe("drop");
    expect(verdict(ruleset, arriving("10.0.0.9", { port: 80 }))).toBe("drop");
    expect(verdict(ruleset, arriving("10.0.0.9", { protocol: "other" }))).toBe("drop");
  });

  test("lost verdict: every rule decides, and the last one drops what no rule matched", () => {
    const { rules } = rulesetOf(
      web,
      lan,
      service({ from: "lan", ...https }, { from: "any", macro: "dns" }),
    );
    expect(rules.map((rule) => rule.verdict)).toEqual(["accept", "accept", "accept", "drop"]);
    expect(rules.at(-1)).toMatchObject({
      source: { kind: "any" },
      protocol: { kind: "any" },
      expires: null,
    });
  });

  test("wrong hook: a grant opens the host itself, not what it forwards or sends", () => {
    const overlay: WrittenRow = {
      kind: "overlay",
      key: "vpn",
      body: {
        host: "web1",
        interfaces: ["wg0"],
        subnets: ["10.8.0.0/24"],
        policy: "full-isolation",
      },
    };
    const ruleset = rulesetOf(web, lan, overlay, service({ from: "any", ...https }));
    const forwarded = {
      ...arriving("10.0.0.9"),
      hook: "forward",
      iif: "eth0",
      oif: "wg0",
    } as const;
    expect(verdict(ruleset, arriving("10.0.0.9"))).toBe("accept");
    expect(verdict(ruleset, forwarded)).toBe("drop");
    expect(ruleset.rules.filter((rule) => rule.row.startsWith("services/"))).toEqual(
      ruleset.rules.filter(
        (rule) => rule.scope === "host" && rule.direction === "in" && rule.verdict === "accept",
      ),
    );
  });

  test("two sets ANDed: two sources of one port are two ways in, not one that needs both", () => {
    const srv: WrittenRow = { kind: "zone", key: "srv", body: { cidrs: ["10.5.0.0/24"] } };
    const ruleset = rulesetOf(
      web,
      lan,
      srv,
      service({ from: "lan", ...https }, { from: "srv", ...https }),
    );
    expect(verdict(ruleset, arriving("10.0.0.9"))).toBe("accept");
    expect(verdict(ruleset, arriving("10.5.0.9"))).toBe("accept");
    expect(verdict(ruleset, arriving("10.6.0.9"))).toBe("drop");
  });

  test("skip-on-error: one name that means nothing stops every host, and nothing is left out", () => {
    const other: WrittenRow = { kind: "host", key: "other", body: {} };
    const compiled = compile(
      snapshotOf([web, lan, other, service({ from: "lan", ...https }, { from: "wan", ...https })]),
    );
    expect(compiled).toMatchObject({ ok: false, diagnostics: [{ code: "unknown_name" }] });
    expect(compiled).not.toHaveProperty("rulesets");
  });

  test("time window lost: a grant that ended lets nobody in, also beside one that did not", () => {
    const end = 1_798_761_599;
    const ending = { from: "lan", ...https, expires_at: "2026-12-31T23:59:59Z" };
    const alone = rulesetOf(web, lan, service(ending));
    expect(verdict(alone, arriving("10.0.0.9", { at: end - 1 }))).toBe("accept");
    expect(verdict(alone, arriving("10.0.0.9", { at: end }))).toBe("drop");
    const both = rulesetOf(web, lan, service(ending, { from: "10.0.0.8/32", ...https }));
    expect(verdict(both, arriving("10.0.0.8", { at: end }))).toBe("accept");
    expect(verdict(both, arriving("10.0.0.9", { at: end }))).toBe("drop");
  });

  test("family mix: a source of one family lets nothing of the other in, and both are served where both are said", () => {
    const four = rulesetOf(web, service({ from: "0.0.0.0/0", ...https }));
    expect(verdict(four, arriving("203.0.113.9"))).toBe("accept");
    expect(verdict(four, arriving("2001:db8::9"))).toBe("drop");
    const six = rulesetOf(web, service({ from: "::/0", ...https }));
    expect(verdict(six, arriving("2001:db8::9"))).toBe("accept");
    expect(verdict(six, arriving("203.0.113.9"))).toBe("drop");
    expect(
      verdict(rulesetOf(web, lan, service({ from: "lan", ...https })), arriving("fd00::9")),
    ).toBe("accept");
  });

  test("non-determinism: no counter, set or row is named by its place", () => {
    const grants = [
      { from: "lan", ...https },
      { from: "any", macro: "ssh" as const },
      { from: "10.7.0.0/16", ...https },
    ];
    const before = rulesetOf(web, lan, service(...grants));
    expect(formatCanonical(rulesetOf(service(...grants.toReversed()), lan, web))).toBe(
      formatCanonical(before),
    );
    const without = rulesetOf(web, lan, service(...grants.slice(1)));
    for (const rule of without.rules) expect(before.rules).toContainEqual(rule);
  });

  test.each([
    "lan; flush ruleset",
    "lan\n",
    "$(id)",
    "lan }",
    '"',
    "-lan",
    "../lan",
    "lan#x",
    "ländle",
    "a".repeat(64),
  ])("injection: %j is no name of anything, and no source", (text) => {
    const rows = [
      { kind: "zone", key: text, body: {} },
      { kind: "host", key: text, body: {} },
      { kind: "service", key: text, body: { ingress: [] } },
      { kind: "host", key: "a", body: { roles: [text] } },
      { kind: "service", key: "a", body: { ingress: [{ from: text, ...https }] } },
      { kind: "service", key: "a", body: { ingress: [{ from: `zone:${text}`, ...https }] } },
      { kind: "service", key: "a", body: { ingress: [], to: [`role:${text}`] } },
    ];
    for (const row of rows) expect(IntentRows.safeParse([row]).success, row.kind).toBe(false);
  });

  test("kernel limits: intervals never overlap or touch, and names that differ stay different at full length", () => {
    const crowd: WrittenRow = {
      kind: "zone",
      key: "crowd",
      body: { cidrs: ["10.0.0.0/8", "10.1.0.0/16", "11.0.0.0/8", "12.0.0.1/32", "12.0.0.0/32"] },
    };
    expect(rulesetOf(web, crowd, service({ from: "crowd", ...https })).sets).toEqual([
      { name: "n_zone_crowd", kind: "networks", elements: ["10.0.0.0/7", "12.0.0.0/31"] },
    ]);
    const long = "z".repeat(62);
    const zones = ["a", "b"].map((end): WrittenRow => ({
      kind: "zone",
      key: long + end,
      body: {},
    }));
    const { sets } = rulesetOf(
      web,
      ...zones,
      service({ from: `${long}a`, ...https }, { from: `${long}b`, ...https }),
    );
    expect(new Set(sets.map((set) => set.name)).size).toBe(2);
  });

  test.each([
    0,
    65_536,
    -1,
    1.5,
    "0",
    "65536",
    "443-80",
    "80-",
    "-80",
    "080",
    "80 ",
    "80,443",
    "http",
    "",
  ])("lost condition: %j is no port, so it cannot become every port", (port) => {
    const row = {
      kind: "service",
      key: "web",
      body: { ingress: [{ from: "any", port, proto: "tcp" }] },
    };
    expect(IntentRows.safeParse([row]).success).toBe(false);
  });

  test.each<object>([
    { from: "any" },
    { from: "any", port: 443 },
    { from: "any", proto: "tcp" },
    { from: "any", macro: "ssh", port: 22, proto: "tcp" },
    { from: "any", macro: "telnet" },
    { from: "any", ...https, source: "lan" },
    { from: "", ...https },
    { from: "10.0.0.1", ...https },
    { from: "10.0.0.1/24", ...https },
    { from: ["lan"], ...https },
    { ...https },
  ])("lost condition: %j is no grant", (ingress) => {
    const row = { kind: "service", key: "web", body: { ingress: [ingress] } };
    expect(IntentRows.safeParse([row]).success).toBe(false);
  });
});
