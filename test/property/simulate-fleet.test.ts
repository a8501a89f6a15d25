/** Whatever hosts are poisoned and whatever the network loses, a bad revision stays in its wave and a sound one arrives. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { simulateFleet } from "#test/simulate-fleet/fleet.ts";
import { gatesOf } from "#test/support/rollout.ts";

test("a fleet with poisoned hosts and a bad network never has the revision beyond one wave", async () => {
  const shares = fc.constantFrom(0, 0.01, 0.03, 0.1, 0.3);
  const property = fc.asyncProperty(
    fc.record({ poisoned: shares, lost: shares, duplicate: shares, late: shares, offline: shares }),
    fc.nat(),
    fc.boolean(),
    async (chances, seed, auto) => {
      const outcome = await simulateFleet({
        ...chances,
        hosts: 120,
        seed,
        strategy: { kind: "canary", percentages: [5, 25, 50, 100] },
        gates: gatesOf({ auto_rollback: auto }),
      });
      expect([outcome.beyond, outcome.grown]).toEqual([0, 0]);
      expect(["completed", "rolled_back", "halted", "paused"]).toContain(outcome.status);
    },
  );
  await fc.assert(property, { numRuns: 60 });
});

test("a sound revision reaches the whole fleet over a network that loses, repeats and delays a third", async () => {
  const property = fc.asyncProperty(fc.nat(), async (seed) => {
    const outcome = await simulateFleet({
      poisoned: 0,
      lost: 0.3,
      duplicate: 0.3,
      late: 0.3,
      offline: 0,
      hosts: 120,
      seed,
      strategy: { kind: "canary", percentages: [5, 25, 50, 100] },
      gates: gatesOf(),
    });
    expect([outcome.status, outcome.took]).toEqual(["completed", 120]);
  });
  await fc.assert(property, { numRuns: 20 });
});
