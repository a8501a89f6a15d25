/** A small run of `npm run differential`: arbitrary catalogs, arbitrary packets, one meaning. */
import { randomInt } from "node:crypto";
import { expect, it } from "vitest";
import { differential } from "../differential/differential.ts";

const seeds = [20_261_121, randomInt(0x7fff_ffff)];

it.each(seeds)(
  "simulate and the kernel agree on 300 packets of arbitrary catalogs, seed %i",
  async (seed) => {
    const result = await differential({ seed, packets: 300, progress: () => undefined });
    expect(result.differences).toEqual([]);
    expect(result.packets).toBeGreaterThanOrEqual(300);
    expect(result.accepted).toBeGreaterThan(result.packets / 10);
    expect(result.accepted).toBeLessThan((result.packets * 9) / 10);
  },
);
