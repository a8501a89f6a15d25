/** A small run of `npm run differential`: arbitrary catalogs, arbitrary packets, one meaning. */
import { randomInt } from "node:crypto";
import { expect, it } from "vitest";
import { differential } from "../differential/differential.ts";

const seeds = [20_261_121, randomInt(0x7fff_ffff)];

/** What a run must have sent, or it has shown nothing of it. */
const kinds = [
  ["input", "forward", "output"],
  ["tcp", "udp", "icmp", "other"],
  ["new", "established", "invalid", "untracked"],
  ["plain", "fragments", "headers"],
  ["large sets", "narrowed output"],
].flat();

it.each(seeds)(
  "kernel, simulate and an oracle that reads intent agree on 1,200 packets of every kind, seed %i",
  async (seed) => {
    const result = await differential({ seed, packets: 1200, progress: () => undefined });
    expect(result.differences).toEqual([]);
    expect(result.read).toBeGreaterThan(100);
    for (const kind of kinds) expect(result.kinds[kind] ?? 0, kind).toBeGreaterThan(0);
    expect(result.accepted).toBeGreaterThan(result.packets / 10);
    expect(result.accepted).toBeLessThan((result.packets * 9) / 10);
  },
);
