import { describe, expect, test } from "vitest";
import { compile } from "#compile/index.ts";
import { Ruleset } from "#schema/ruleset.ts";
import type { WrittenRow } from "../support/intent.ts";
import { snapshotOf } from "../support/intent.ts";

const gw: WrittenRow = { kind: "host", key: "gw", body: {} };
const overlay = (
  key: string,
  body: Partial<Extract<WrittenRow, { kind: "overlay" }>["body"]> = {},
): WrittenRow => ({
  kind: "overlay",
  key,
  body: {
    host: "gw",
    interfaces: ["tun0"],
    subnets: ["10.8.0.0/24", "fd00:8::/64"],
    policy: "group-based",
    groups: ["dev"],
    ...body,
  },
});
const member = (key: string, group: string, ...addresses: string[]): WrittenRow => ({
  kind: "member",
  key,
  body: { group, addresses },
});
const alice = member("office/alice", "dev", "10.8.0.2");

function rulesetOf(rows: readonly WrittenRow[], host = "gw") {
  const compiled = compile(snapshotOf(rows));
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.diagnostics));
  const ruleset = compiled.rulesets.get(host);
  if (ruleset === undefined) throw new Error(`no ruleset for ${host}`);
  return Ruleset.parse(ruleset);
}

function findings(rows: readonly WrittenRow[]): readonly string[] {
  const compiled = compile(snapshotOf(rows));
  return (compiled.ok ? compiled.warnings : compiled.diagnostics).map(
    ({ severity, code, path }) => `${severity} ${code} ${path}`,
  );
}

describe("diagnostics", () => {
  test.each<[string, readonly WrittenRow[], readonly string[]]>([
    [
      "an overlay on a host nobody declared",
      [gw, overlay("office", { host: "ghost" }), alice],
      ["error unknown_host /overlays/office/host"],
    ],
    [
      "a member of an overlay nobody declared",
      [gw, member("ghost/alice", "dev", "10.8.0.2")],
      ["error unknown_overlay /members/ghost/alice"],
    ],
    [
      "a group the overlay does not declare",
      [gw, overlay("office"), alice, member("office/carol", "ops", "10.8.0.4")],
      ["error unknown_group /members/office/carol/group"],
    ],
    [
      "a group that is undeclared though the policy does not read groups",
      [gw, overlay("office", { policy: "same-subnet" }), alice, member("office/carol", "ops")],
      ["error unknown_group /members/office/carol/group"],
    ],
    [
      "an address outside every subnet, by its index",
      [gw, overlay("office"), member("office/carol", "dev", "10.8.0.4", "10.9.0.4")],
      ["error address_outside_overlay /members/office/carol/addresses/1"],
    ],
    [
      "an IPv6 address outside every subnet",
      [gw, overlay("office"), member("office/carol", "dev", "fd00:9::4")],
      ["error address_outside_overlay /members/office/carol/addresses/0"],
    ],
    [
      "one address for two members, at the later key",
      [gw, overlay("office"), member("office/carol", "dev", "10.8.0.2"), alice],
      ["error duplicate_address /members/office/carol/addresses/0"],
    ],
    [
      "one interface for two overlays of a host",
      [
        gw,
        overlay("office"),
        alice,
        overlay("lab", { interfaces: ["tun1", "tun0"], policy: "full-isolation" }),
      ],
      ["error duplicate_interface /overlays/office/interfaces/0"],
    ],
    [
      "overlapping subnets of one overlay",
      [gw, overlay("office", { subnets: ["10.8.0.0/16", "fd00:8::/64", "10.8.4.0/24"] }), alice],
      ["error overlapping_subnets /overlays/office/subnets/2"],
    ],
    [
      "names that would make too long a counter",
      [gw, overlay("office", { groups: ["dev", "a".padEnd(63, ".")] }), alice],
      ["warning empty_group /overlays/office/groups/1", "error name_too_long /overlays/office/groups/1"],
    ],
    [
      "an overlay's own name that would make too long a counter",
      [gw, overlay("a".padEnd(63, "."), { policy: "full-isolation", groups: [] })],
      [`error name_too_long /overlays/${"a".padEnd(63, ".")}`],
    ],
    [
      "a group without members",
      [gw, overlay("office", { groups: ["ops", "dev"] }), alice],
      ["warning empty_group /overlays/office/groups/0"],
    ],
    [
      "a member without an address",
      [gw, overlay("office"), member("office/alice", "dev")],
      ["warning no_address /members/office/alice/addresses"],
    ],
  ])("reports %s, with its path", (_, rows, expected) => {
    expect(findings(rows)).toEqual(expected);
  });

  test("reports all findings at once, sorted by path, and makes no ruleset", () => {
    const rows = [
      gw,
      overlay("office", { host: "ghost", groups: ["dev", "ops"] }),
      member("office/carol", "none", "10.9.0.1", "10.8.0.2"),
      member("other/dave", "dev"),
      alice,
    ];
    expect(findings(rows)).toEqual([
      "error address_outside_overlay /members/office/carol/addresses/0",
      "error duplicate_address /members/office/carol/addresses/1",
      "error unknown_group /members/office/carol/group",
      "error unknown_overlay /members/other/dave",
      "warning empty_group /overlays/office/groups/1",
      "error unknown_host /overlays/office/host",
    ]);
    expect(compile(snapshotOf(rows)).ok).toBe(false);
  });

  test("names the other row of a collision", () => {
    const compiled = compile(
      snapshotOf([gw, overlay("office"), member("office/bob", "dev", "10.8.0.2"), alice]),
    );
    expect(!compiled.ok && compiled.diagnostics[0]?.message).toBe("10.8.0.2 belongs to member office/alice");
  });

  test("lets two overlays use one address, and two hosts one interface", () => {
    const rows = [
      gw,
      { kind: "host", key: "gw2", body: {} } as const,
      overlay("office"),
      overlay("lab", { interfaces: ["tun1"] }),
      overlay("far", { host: "gw2" }),
      alice,
      member("lab/alice", "dev", "10.8.0.2"),
      member("far/alice", "dev", "10.8.0.2"),
    ];
    expect(findings(rows)).toEqual([]);
  });
});

describe("rulesets", () => {
  test("a host without services and overlays drops whatever comes in, and limits nothing that goes out", () => {
    const { rules, ...rest } = rulesetOf([gw]);
    expect(rest).toEqual({ scopes: [{ kind: "host" }], sets: [], classes: [] });
    expect(rules).toMatchObject([{ row: "defaults/host#in", direction: "in", verdict: "drop" }]);
    expect(rules).toHaveLength(1);
  });

  test("a member's move changes elements and no rule", () => {
    const groups = { groups: ["dev", "ops"] };
    const carol = (group: string) => member("office/carol", group, "10.8.0.4");
    const before = rulesetOf([gw, overlay("office", groups), alice, carol("dev")]);
    const after = rulesetOf([gw, overlay("office", groups), alice, carol("ops")]);
    expect(after.rules).toEqual(before.rules);
    expect(after.classes).not.toEqual(before.classes);
    expect(after.sets).not.toEqual(before.sets);
  });

  test("a change on one host leaves the other host's ruleset equal", () => {
    const far = [{ kind: "host", key: "gw2", body: {} } as const, overlay("far", { host: "gw2" })];
    const before = rulesetOf([gw, overlay("office"), alice, ...far], "gw2");
    const after = rulesetOf([gw, overlay("office"), ...far], "gw2");
    expect(after).toEqual(before);
  });

  test("sets, class maps and classes are sorted by the names they carry, not by the keys they come from", () => {
    const groups = ["a-", "aB"];
    const ruleset = rulesetOf([
      gw,
      overlay("a", { groups }),
      overlay("a.b", { interfaces: ["tun1"], groups }),
      overlay("aC", { interfaces: ["tun2"], groups }),
    ]);
    expect(ruleset.sets.map((set) => set.name)).toEqual([
      "g_aC_2faB",
      "g_aC_2fa_2d",
      "g_a_2eb_2faB",
      "g_a_2eb_2fa_2d",
      "g_a_2faB",
      "g_a_2fa_2d",
    ]);
    expect(ruleset.classes.map((map) => map.name)).toEqual(["m_a", "m_aC", "m_a_2eb"]);
    expect(ruleset.classes[0]?.classes).toEqual(["k_a_2faB", "k_a_2fa_2d"]);
  });

  test("addresses are sorted as numbers, IPv4 first", () => {
    const ruleset = rulesetOf([
      gw,
      overlay("office"),
      member("office/a", "dev", "fd00:8::10", "10.8.0.10"),
      member("office/b", "dev", "fd00:8::9", "10.8.0.9"),
    ]);
    const expected = ["10.8.0.9", "10.8.0.10", "fd00:8::9", "fd00:8::10"];
    expect(ruleset.sets[0]?.elements).toEqual(expected);
    expect(ruleset.classes[0]?.elements.map((element) => element.address)).toEqual(expected);
  });
});
