/** Which programs are a matter of elements to each other, and what is sent then. */
import { describe, expect, it } from "vitest";
import { makeTransaction } from "#core/render/index.ts";
import type { Ruleset } from "#schema/ruleset.ts";
import { groupsRuleset, mustRender, ruleOf, rulesetOf } from "#test/support/rulesets.ts";

const between = (from: Ruleset, to: Ruleset): string | undefined =>
  makeTransaction(mustRender(from), mustRender(to));

const many = Array.from({ length: 20 }, (_, i) => `10.8.1.${i}`);
const lan = (...elements: readonly string[]): Ruleset =>
  rulesetOf({
    scopes: [{ kind: "host" }],
    sets: [{ name: "lan", kind: "networks", elements: [...elements] }],
    rules: [
      ruleOf({
        scope: "host",
        direction: "in",
        source: { kind: "set", set: "lan" },
        verdict: "accept",
        counter: "r_lan",
      }),
    ],
  });

describe("a transaction between two programs", () => {
  it("of a member's move deletes first, creates then, and names nothing else", () => {
    const from = groupsRuleset({ dev: [...many, "10.8.0.2"], ops: ["10.8.0.9"] });
    const to = groupsRuleset({ dev: many, ops: ["10.8.0.2", "10.8.0.9"] });
    expect(between(from, to)).toBe(`delete element inet portcullis a4_g_dev { 10.8.0.2 }
delete element inet portcullis m4_0peer0_k_office { 10.8.0.2 : jump c_0peer0_k_dev }
create element inet portcullis a4_g_ops { 10.8.0.2 }
create element inet portcullis m4_0peer0_k_office { 10.8.0.2 : jump c_0peer0_k_ops }
`);
  });

  it("fills a set of intervals anew", () => {
    expect(between(lan("10.0.0.0/16"), lan("10.0.0.0/17", "192.0.2.0/24")))
      .toBe(`flush set inet portcullis n4_lan
add element inet portcullis n4_lan { 10.0.0.0/17, 192.0.2.0/24 }
`);
  });

  it("of equal programs is empty", () => {
    expect(between(lan("10.0.0.0/16"), lan("10.0.0.0/16"))).toBe("");
  });

  it("is none where more than elements differs, or where the whole is no longer", () => {
    const one = groupsRuleset({ dev: many });
    expect(between(one, groupsRuleset({ dev: many, ops: [] }))).toBeUndefined();
    expect(between(one, { ...one, rules: one.rules.toReversed() })).toBeUndefined();
    expect(
      between(one, groupsRuleset({ dev: many.map((text) => text.replace(".1.", ".2.")) })),
    ).toBeUndefined();
    expect(between(one, groupsRuleset({ dev: [] }))).toBeUndefined();
  });
});
