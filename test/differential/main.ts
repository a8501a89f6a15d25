/**
 * `npm run differential -- --packets 5000 --backend nft [--seed 1]`: kernel, `simulate` and an oracle that reads intent,
 * against one another on arbitrary catalogs. Prints the seed, progress and each mismatch as JSON; ends with 1 when there
 * was one, with 2 for a word it does not know. The same seed gives the same rulesets and packets.
 */
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import * as z from "zod";
import { differential, type Result } from "./differential.ts";

const Words = z.strictObject({
  packets: z.coerce.number().int().min(1).max(10_000_000).default(5000),
  backend: z.literal("nft").default("nft"),
  seed: z.coerce.number().int().min(0).max(0x7fff_ffff).optional(),
});

function given(): unknown {
  try {
    return parseArgs({
      options: {
        packets: { type: "string" },
        backend: { type: "string" },
        seed: { type: "string" },
      },
    }).values;
  } catch (error) {
    // What parseArgs says names the word; where it was thrown helps nobody.
    console.error(error instanceof Error ? error.message : String(error));
    process.exit(2);
  }
}

const words = Words.safeParse(given());
if (!words.success) {
  console.error(z.prettifyError(words.error));
  process.exit(2);
}
const { packets, backend } = words.data;
const seed = words.data.seed ?? randomInt(0x7fff_ffff);

/** What goes wrong in many packets is seen in few; each comes with its whole ruleset. */
const shown = 20;

const summary = (result: Result): string =>
  `${result.packets} packets (${result.accepted} accepted, ${result.read} read by the oracle), ${result.rulesets} rulesets, mismatches ${result.differences.length}`;

console.log(`seed ${seed}, backend ${backend}`);
const started = performance.now();
const result = await differential({
  seed,
  packets,
  progress: (soFar) => console.log(summary(soFar)),
});
for (const difference of result.differences.slice(0, shown))
  console.log(JSON.stringify(difference));
if (result.differences.length > shown) console.log(`and ${result.differences.length - shown} more`);
const kinds = Object.entries(result.kinds).map(([kind, count]) => `${kind} ${count}`);
console.log(`of these: ${kinds.toSorted().join(", ")}`);
const seconds = ((performance.now() - started) / 1000).toFixed(0);
console.log(`seed ${seed}: ${summary(result)} in ${seconds} s`);
process.exitCode = result.differences.length === 0 ? 0 : 1;
