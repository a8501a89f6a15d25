/** Format 1 of a bundle and today's language: what is said in both means the same, what has no words is named. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeBundle, encodeBundle } from "#schema/bundle.ts";
import { encodeCanonical } from "#schema/canonical.ts";
import { readFormat1, RulesetFormat1, writeFormat1 } from "#schema/format1.ts";
import { type Rule, Ruleset } from "#schema/ruleset.ts";
import { prepare } from "#core/simulate/index.ts";
import { arbitraryPacket } from "#test/support/arbitraries.ts";
import { arbitraryRuleset } from "#test/support/arbitrary-ruleset.ts";
import { groupsRuleset, ruleOf, rulesetOf } from "#test/support/rulesets.ts";

const groups = groupsRuleset({ dev: ["10.8.0.1", "fd00:8::1"], ops: ["10.8.0.2"], none: [] });
const place = { scope: "host", direction: "in" } as const;
const hostWith = (...rules: readonly Rule[]): Ruleset =>
  rulesetOf({
    scopes: [{ kind: "host" }],
    sets: [
      { name: "n_a", kind: "networks", elements: ["10.0.0.0/8"] },
      { name: "n_b", kind: "networks", elements: ["10.1.0.0/16"] },
    ],
    rules: [...rules],
  });
const grant = (said: Partial<Rule>): Rule =>
  ruleOf({ ...place, row: "services/x#1", verdict: "accept", counter: "r_x", ...said });

describe("format 1", () => {
  test("says what a compiler writes, and is read back as it was", () => {
    const written = writeFormat1(groups);
    if (!written.ok) throw new Error(written.rows[0].why);
    expect(written.ruleset.classes).toEqual([
      {
        name: "k_office",
        classes: ["k_dev", "k_ops", "k_none"],
        elements: [
          { address: "10.8.0.1", class: "k_dev" },
          { address: "10.8.0.2", class: "k_ops" },
          { address: "fd00:8::1", class: "k_dev" },
        ],
      },
    ]);
    expect(Ruleset.parse(readFormat1(RulesetFormat1.parse(written.ruleset)))).toEqual(groups);
  });

  test.each<readonly [string, Ruleset]>([
    ["arrives", hostWith(grant({ arrives: ["eth0"] }))],
    ["from", hostWith(grant({ from: 1 }))],
    ["rate", hostWith(grant({ rate: { newPerSecond: 1, burst: 1 } }))],
    ["log", hostWith(grant({ log: true }))],
    ["protocol icmp", hostWith(grant({ protocol: { kind: "icmp", types: { v4: [8], v6: [] } } }))],
    ["protocol ip", hostWith(grant({ protocol: { kind: "ip", number: 47 } }))],
    ["protocol dhcp", hostWith(grant({ protocol: { kind: "dhcp", side: "client" } }))],
    [
      "source set-except",
      hostWith(grant({ source: { kind: "set-except", set: "n_a", except: "n_b" } })),
    ],
    [
      "destination not-set",
      hostWith(
        grant({ section: "deny", verdict: "drop", destination: { kind: "not-set", set: "n_a" } }),
      ),
    ],
  ])("has no words for %s, and names the row", (why, ruleset) => {
    expect(writeFormat1(ruleset)).toEqual({ ok: false, rows: [{ row: "services/x#1", why }] });
    const decoded = decodeBundle(encodeBundle(ruleset));
    expect(decoded).toEqual({ ok: true, format: 2, ruleset });
  });

  test("has no words for a scope that it does not know, and names the first row about it", () => {
    const pair = { kind: "zone-pair" as const, from: "lan", to: "wan" };
    const ruleset = rulesetOf({
      scopes: [{ ...pair, interfaces: { from: ["eth1"], to: ["eth0"] } }],
      rules: [
        ruleOf({
          row: "passages/x#1",
          scope: "zone-pair/lan/wan",
          direction: "peer",
          verdict: "accept",
          counter: "r_x",
        }),
      ],
    });
    expect(writeFormat1(ruleset)).toEqual({
      ok: false,
      rows: [{ row: "passages/x#1", why: "scope zone-pair/lan/wan" }],
    });
  });

  test("whose rules stand in no sections, or whose class map names no class of its own, is refused", () => {
    const written = writeFormat1(hostWith(grant({}), grant({ counter: "r_y" })));
    if (!written.ok) throw new Error(written.rows[0].why);
    const [first, second, end] = written.ruleset.rules;
    if (first === undefined || second === undefined || end === undefined)
      throw new Error("expected three rules");
    const drop = { ...first, verdict: "drop" as const, counter: "r_z" };
    const bytes = (ruleset: unknown): Uint8Array => encodeCanonical({ format: 1, ruleset });
    const mixed = { ...written.ruleset, rules: [first, drop, second, end] };
    expect(decodeBundle(bytes(mixed))).toEqual({
      ok: false,
      code: "bundle_schema",
      message: "/ruleset/rules/1/section: expected deny before grant",
    });
    const classes = [{ name: "k", classes: [], elements: [{ address: "10.8.0.1", class: "k_a" }] }];
    expect(decodeBundle(bytes({ ...written.ruleset, classes }))).toMatchObject({
      ok: false,
      message: "/ruleset/classes/0/elements/0/class: expected a class of this map",
    });
    const twice = [{ name: "k", classes: ["k_a", "k_a"], elements: [] }];
    expect(decodeBundle(bytes({ ...written.ruleset, classes: twice }))).toMatchObject({
      ok: false,
      message: "/ruleset/classes/0/classes/1: expected no duplicates",
    });
    expect(decodeBundle(encodeCanonical({ format: 3, ruleset: written.ruleset }))).toMatchObject({
      ok: false,
      code: "bundle_schema",
    });
  });

  test("judges every packet as the ruleset does that it was written from", () => {
    const seen = { sayable: 0, not: 0 };
    fc.assert(
      fc.property(
        arbitraryRuleset,
        fc.array(arbitraryPacket, { minLength: 20, maxLength: 20 }),
        (ruleset, packets) => {
          const written = writeFormat1(ruleset);
          seen[written.ok ? "sayable" : "not"] += 1;
          if (!written.ok) return;
          const read = Ruleset.parse(readFormat1(RulesetFormat1.parse(written.ruleset)));
          const [now, then] = [prepare(ruleset), prepare(read)];
          for (const packet of packets) expect(then(packet)).toEqual(now(packet));
        },
      ),
      { numRuns: 1_000 },
    );
    expect(Math.min(seen.sayable, seen.not)).toBeGreaterThan(50);
  });
});
