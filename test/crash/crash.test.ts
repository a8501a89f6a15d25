/** Killed at every step of an apply, a host holds its last committed ruleset or the closed one, seen by packets. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Failpoint, failpoints } from "#agent/cycle/enforce.ts";
import { type Arena, openArena } from "./arena.ts";
import { aftermaths, type Trial } from "./trial.ts";

let arena: Arena;
beforeAll(async () => void (arena = await openArena()));
afterAll(() => arena.close());

async function expectSurvival(trial: Trial, allowed: readonly string[]): Promise<void> {
  const { opens, lockOuts, knocks, holds } = await arena.run(trial);
  expect({ opens, lockOuts }).toEqual({ opens: 0, lockOuts: 0 });
  expect(knocks).toBeGreaterThan(0);
  expect(allowed).toContain(holds);
}

const commits = (failpoint: Failpoint): boolean =>
  failpoints.indexOf(failpoint) >= failpoints.indexOf("committed");

test("a stranger's knock is answered where no rule is, so that a silence below is a verdict", async () => {
  expect(await arena.opensWithoutRules()).toBeGreaterThan(0);
});

describe.each(failpoints)("killed when %s", (failpoint) => {
  test.each(aftermaths)("and then: %s", async (aftermath) => {
    await expectSurvival({ kill: failpoint, aftermath, slots: "good" }, [
      commits(failpoint) ? "after" : "before",
    ]);
  });
});

describe.each(["loaded", "committed"] as const)("killed when %s, and", (failpoint) => {
  test.each(["torn", "missing"] as const)(
    "the committed slots %s, it is never open",
    async (slots) => {
      const allowed = ["closed", commits(failpoint) ? "after" : "before"];
      for (const aftermath of aftermaths)
        await expectSurvival({ kill: failpoint, aftermath, slots }, allowed);
    },
  );
});
