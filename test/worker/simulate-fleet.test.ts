/** The real control plane under a whole fleet: how far a bad revision gets, and that polls which change nothing cost nothing. */
import { expect, test } from "vitest";
import { type Options, type Outcome, simulateFleet } from "#test/simulate-fleet/fleet.ts";
import { openStore, type StorePlane, type Unchanged } from "#test/simulate-fleet/store.ts";
import { gatesOf } from "#test/support/rollout.ts";

const network: Options = {
  hosts: 60,
  poisoned: 0,
  lost: 0.1,
  duplicate: 0.2,
  late: 0.2,
  offline: 0,
  seed: 7,
  strategy: { kind: "canary", percentages: [10, 50, 100] },
  gates: gatesOf(),
};

async function simulated(over: Partial<Options>): Promise<readonly [Outcome, Unchanged]> {
  const planes: StorePlane[] = [];
  try {
    const outcome = await simulateFleet({ ...network, ...over }, async (fleet) => {
      const plane = await openStore(fleet);
      planes.push(plane);
      return plane;
    });
    const [plane] = planes;
    if (plane === undefined) throw new Error("nothing was opened");
    return [outcome, await plane.pollUnchanged()];
  } finally {
    for (const plane of planes) await plane.close();
  }
}

test("a sound revision reaches every host through the real store, and then polls read no storage", async () => {
  const [outcome, unchanged] = await simulated({});
  expect(outcome).toMatchObject({ status: "completed", took: 60, beyond: 0, grown: 0 });
  // Its hosts report while they bake, as they are asked to: by their own hour, three waves take three hours.
  expect(outcome.endedMs).toBeLessThan(90 * 60_000);
  // The fleet's own news are asked for once in four seconds, whoever polls.
  expect(unchanged).toEqual({ polls: 120, changed: 0, statements: 0, refreshes: 12, clones: 0 });
});

test("a poisoned revision halts within its wave, and every host that took it gets its old content back", async () => {
  const [outcome, unchanged] = await simulated({ poisoned: 0.1 });
  expect(outcome).toMatchObject({ status: "rolled_back", beyond: 0, grown: 0 });
  expect(outcome.took).toBeGreaterThan(0);
  expect(outcome.took).toBeLessThan(60);
  expect(unchanged).toMatchObject({ changed: 0, statements: 0, clones: 0 });
});
