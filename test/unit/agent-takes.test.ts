/** Whether a commit may take something from a host's own flows: never a wrong no, and a no where it matters. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Rules } from "#agent/flows/flows.ts";
import { mayTake } from "#agent/flows/takes.ts";
import type { Rule, Ruleset } from "#schema/ruleset.ts";
import { simulate } from "#core/simulate/index.ts";
import { arbitraryPacket } from "#test/support/arbitraries.ts";
import { arbitraryRuleset } from "#test/support/arbitrary-ruleset.ts";
import { ruleOf, rulesetOf, testGuard } from "#test/support/rulesets.ts";

const accept = (port: number, source?: string): Rule =>
  ruleOf({
    scope: "host",
    direction: "in",
    verdict: "accept",
    counter: `r_${port}`,
    protocol: {
      kind: "tcp",
      ports: { kind: "ranges", ranges: [{ from: port, to: port }] },
      sourcePorts: { kind: "any" },
    },
    ...(source === undefined ? {} : { source: { kind: "set", set: source } }),
  });
const drop = ruleOf({
  scope: "host",
  direction: "in",
  verdict: "drop",
  counter: "r_some",
  source: { kind: "set", set: "bad" },
});
const out = ruleOf({ scope: "host", direction: "out", verdict: "drop", counter: "r_out" });
const rulesBy = (
  rules: readonly Rule[],
  lan: readonly string[] = ["10.0.0.1"],
  bad: readonly string[] = ["10.0.0.9"],
): Rules => ({
  guard: testGuard,
  ruleset: rulesetOf({
    scopes: [{ kind: "host" }],
    sets: [
      { name: "bad", kind: "addresses", elements: [...bad] },
      { name: "lan", kind: "addresses", elements: [...lan] },
    ],
    rules: [...rules],
  }),
});
const before = rulesBy([drop, accept(22, "lan"), accept(80)]);

test.each<[string, Rules]>([
  ["is the same", before],
  [
    "has the same rules under other names",
    rulesBy([{ ...drop, counter: "r_x" }, accept(22, "lan"), { ...accept(80), row: "services/y" }]),
  ],
  [
    "adds a grant, wherever it stands",
    rulesBy([accept(443), drop, accept(22, "lan"), accept(80), accept(53)]),
  ],
  [
    "adds a member to a grant",
    rulesBy([drop, accept(22, "lan"), accept(80)], ["10.0.0.1", "10.0.0.2"]),
  ],
  ["takes a member from a drop", rulesBy([drop, accept(22, "lan"), accept(80)], undefined, [])],
])("takes nothing when it %s", (_, now) => {
  expect(mayTake(now, before, 0)).toBe(false);
});

test.each<[string, Rules]>([
  ["lacks a grant", rulesBy([drop, accept(22, "lan")])],
  ["takes a member from a grant", rulesBy([drop, accept(22, "lan"), accept(80)], [])],
  [
    "adds a member to a drop",
    rulesBy([drop, accept(22, "lan"), accept(80)], undefined, ["10.0.0.9", "10.0.0.8"]),
  ],
  [
    "drops what it did not",
    rulesBy([
      { ...drop, source: { kind: "any" }, protocol: accept(81).protocol },
      drop,
      accept(22, "lan"),
      accept(80),
    ]),
  ],
  ["refuses what goes out", rulesBy([drop, accept(22, "lan"), accept(80), out])],
  [
    "grants for a while what was granted without end",
    rulesBy([drop, accept(22, "lan"), { ...accept(80), expires: 9 }]),
  ],
  ["has another guard", { ...before, guard: { management: { interfaces: ["eth9"], allow: [] } } }],
])("may take something when it %s", (_, now) => {
  expect(mayTake(now, before, 0)).toBe(true);
});

test("may take something once a grant has ended, though nothing changes, and when a host begins or ends to be judged", () => {
  const timed = rulesBy([{ ...accept(80), expires: 100 }]);
  expect([mayTake(timed, timed, 99), mayTake(timed, timed, 100)]).toEqual([false, true]);
  const late = rulesBy([{ ...drop, from: 100 }]);
  expect([mayTake(late, late, 99), mayTake(late, late, 100)]).toEqual([false, true]);
  const unjudged = { guard: testGuard, ruleset: rulesetOf({}) };
  expect([mayTake(before, unjudged, 0), mayTake(unjudged, before, 0)]).toEqual([true, true]);
  expect(mayTake(unjudged, unjudged, 0)).toBe(false);
});

describe("whatever two rulesets say", () => {
  /** Variants of one ruleset, so that "takes nothing" comes up often. */
  const pair = fc.tuple(
    arbitraryRuleset,
    arbitraryRuleset,
    fc.nat(),
    fc.constantFrom("same", "less", "more", "other"),
    fc.nat(),
  );
  const vary = ([one, other, pick, how, many]: readonly [
    Ruleset,
    Ruleset,
    number,
    string,
    number,
  ]): Ruleset => {
    if (how === "same") return one;
    if (how === "other") return other;
    const rules = one.rules.filter(
      (_, i) => how !== "less" || i !== pick % Math.max(1, one.rules.length),
    );
    const sets = one.sets.map((set, i) =>
      i === pick % one.sets.length ? { ...set, elements: set.elements.slice(many % 2) } : set,
    );
    return { ...one, rules, sets: how === "more" ? one.sets : sets };
  };

  test("no packet that was allowed is refused where it takes nothing", () => {
    let nothing = 0;
    fc.assert(
      fc.property(
        pair,
        fc.array(arbitraryPacket, { minLength: 20, maxLength: 40 }),
        ([one, other, ...rest], packets) => {
          const varied = vary([one, other, ...rest]);
          for (const [now, was] of [
            [varied, one],
            [one, varied],
          ] as const) {
            if (mayTake({ ruleset: now, guard: testGuard }, { ruleset: was, guard: testGuard }, 0))
              continue;
            nothing += 1;
            for (const packet of packets) {
              if (
                packet.hook === "forward" ||
                simulate(was, packet, testGuard).verdict !== "accept"
              )
                continue;
              expect(simulate(now, packet, testGuard).verdict).toBe("accept");
            }
          }
        },
      ),
      { numRuns: 300 },
    );
    expect(nothing).toBeGreaterThan(50);
  });
});
