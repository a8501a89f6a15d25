/**
 * `npm run hostile -- --rulesets 2000 [--seed 1]`: rulesets that are signed and hostile, against guard, renderer and
 * kernel. Prints seed, progress and each finding as JSON; ends with 1 when there was one, with 2 for a word it does not
 * know. The same seed gives the same rulesets.
 */
import { randomInt } from "node:crypto";
import * as z from "zod";
import { readWords } from "#test/support/words.ts";
import { type Result, runHostile } from "./hostile.ts";

const help = `Usage: npm run hostile -- [--rulesets N] [--seed S]

Draws rulesets as somebody would sign them who holds every key, lets an agent's own code decode, check, render and load
each in network namespaces, and sends packets: of the management plane in and its answers out, and of strangers at ports
that no bundle may open to everybody. Needs root.

  --rulesets N   how many; 100 unless told
  --seed S       the same seed gives the same rulesets; a random one unless told

Ends with 0 when nobody was locked out and nothing was opened, else with 1.

  npm run hostile -- --rulesets 2000
  npm run hostile -- --rulesets 100 --seed 7
`;

const words = readWords(
  help,
  z.strictObject({
    rulesets: z.coerce.number().int().min(1).max(1_000_000).default(100),
    seed: z.coerce.number().int().min(0).max(0x7fff_ffff).optional(),
  }),
);
const seed = words.seed ?? randomInt(0x7fff_ffff);

function summary({
  rulesets,
  refused,
  loaded,
  packets,
  lockOuts,
  opened,
  slowest,
}: Result): string {
  const reasons = [...refused]
    .toSorted(([, a], [, b]) => b - a)
    .map(([reason, count]) => `${reason} ${count}`);
  return [
    `${rulesets} rulesets, ${rulesets - loaded} refused (${reasons.join(", ")}), ${loaded} loaded, ${packets} packets`,
    `lock-outs ${lockOuts.length}, opened ${opened.length}`,
    `slowest cycle ${slowest.ms.toFixed(0)} ms (${slowest.attempt}), longest without a turn for others ${slowest.blockMs.toFixed(0)} ms`,
  ].join("; ");
}

const everySoMany = 50;
console.log(`seed ${seed}`);
const started = performance.now();
const result = await runHostile({
  seed,
  rulesets: words.rulesets,
  progress: (soFar) => {
    if (soFar.rulesets % everySoMany === 0) console.log(summary(soFar));
  },
});
for (const finding of result.lockOuts) console.log(JSON.stringify({ lockOut: finding }));
for (const finding of result.opened) console.log(JSON.stringify({ opened: finding }));
console.log(
  `seed ${seed}: ${summary(result)}; ${((performance.now() - started) / 1000).toFixed(0)} s`,
);
process.exitCode = result.lockOuts.length + result.opened.length === 0 ? 0 : 1;
