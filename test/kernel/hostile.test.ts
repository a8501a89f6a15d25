/** A run of `npm run hostile`: whatever is signed, management passes and what a guard never opens stays shut. */
import { randomInt } from "node:crypto";
import { expect, it } from "vitest";
import { runHostile } from "../hostile/hostile.ts";

const seeds = [20_261_201, randomInt(0x7fff_ffff)];

it.each(seeds)("50 hostile rulesets lock nobody out and open nothing, seed %i", async (seed) => {
  const { lockOuts, opened, ...result } = await runHostile({
    seed,
    rulesets: 50,
    progress: () => undefined,
  });
  expect({ lockOuts, opened }).toEqual({ lockOuts: [], opened: [] });
  expect(result.loaded).toBeGreaterThan(10);
  expect(result.rulesets - result.loaded).toBeGreaterThan(10);
});
