/** Waves: the same from any order, everybody once, and never more than half of a role together. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Strategy } from "#schema/rollout.ts";
import { wavesOf } from "#test/support/rollout.ts";

const roles = ["web", "db", "dns"];
const labels = fc.record({ env: fc.constantFrom("test", "prod"), site: fc.constantFrom("x", "y") });
const candidates = fc
  .array(fc.record({ roles: fc.subarray(roles), labels, enforces: fc.boolean() }), {
    maxLength: 40,
  })
  .map((list) => list.map((one, i) => ({ ...one, host: `h${i}` })));
const strategies: fc.Arbitrary<Strategy> = fc.oneof(
  fc.constant({ kind: "all" as const }),
  fc.uniqueArray(fc.integer({ min: 1, max: 99 }), { maxLength: 4 }).map((list) => ({
    kind: "canary" as const,
    percentages: [...list.toSorted((a, b) => a - b), 100],
  })),
  fc
    .array(fc.oneof(labels, fc.record({ env: fc.constant("test") })), {
      minLength: 1,
      maxLength: 3,
    })
    .map((waves) => ({ kind: "labels" as const, waves })),
);

describe("waves", () => {
  test("are the same for hosts in any order, and hold each host once", () => {
    const shuffled = candidates.chain((hosts) =>
      fc.tuple(fc.constant(hosts), fc.shuffledSubarray(hosts, { minLength: hosts.length })),
    );
    const property = fc.property(shuffled, strategies, ([hosts, other], strategy) => {
      const waves = wavesOf(hosts, strategy);
      expect(wavesOf(other, strategy)).toEqual(waves);
      expect(waves.flat().toSorted()).toEqual(hosts.map(({ host }) => host).toSorted());
      expect(waves.every((wave) => wave.length > 0)).toBe(true);
    });
    fc.assert(property);
  });

  test("hold at most half of a role's hosts, or its only one, but for the strategy `all`", () => {
    const property = fc.property(candidates, strategies, (hosts, strategy) => {
      fc.pre(strategy.kind !== "all");
      for (const wave of wavesOf(hosts, strategy)) {
        for (const role of roles) {
          const all = hosts.filter((host) => host.roles.includes(role));
          const going = all.filter(({ host }) => wave.includes(host));
          expect(going.length).toBeLessThanOrEqual(Math.max(1, Math.floor(all.length / 2)));
        }
      }
    });
    fc.assert(property);
  });
});
