import { mapClassMembers } from "#schema/ruleset.ts";
import { describe, expect, test } from "vitest";
import { compile } from "#core/compile/index.ts";
import { Ruleset } from "#schema/ruleset.ts";
import type { WrittenRow } from "../support/intent.ts";
import { snapshotOf } from "../support/intent.ts";
import { alice, gw, member, overlay } from "../support/office.ts";

function rulesetOf(rows: readonly WrittenRow[], host = "gw") {
  const compiled = compile(snapshotOf(rows));
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.diagnostics));
  const ruleset = compiled.rulesets.get(host);
  if (ruleset === undefined) throw new Error(`no ruleset for ${host}`);
  return Ruleset.parse(ruleset);
}

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
    expect(after.classes).toEqual(before.classes);
    expect(mapClassMembers(after)).not.toEqual(mapClassMembers(before));
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
      overlay("a.b", { interfaces: ["tun1"], groups, subnets: ["10.9.0.0/24"] }),
      overlay("aC", { interfaces: ["tun2"], groups, subnets: ["10.10.0.0/24"] }),
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
    expect(ruleset.classes[0]?.classes).toEqual([
      { name: "k_a_2faB", set: "g_a_2faB" },
      { name: "k_a_2fa_2d", set: "g_a_2fa_2d" },
    ]);
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
    expect([...(mapClassMembers(ruleset).get("m_office")?.keys() ?? [])]).toEqual(expected);
  });
});
