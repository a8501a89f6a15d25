/**
 * `npm run chaos -- --trials N [--seed S] [--parallel P]`: trials at random steps and random moments, with random
 * aftermaths and disks, several side by side as they mostly wait. Prints each trial with its seed, so that
 * `--trials 1 --seed S` is that trial again, and ends with the counts. Exit 1 unless every trial ran, nothing was open
 * and nobody locked out.
 */
import { availableParallelism } from "node:os";
import * as z from "zod";
import { readWords } from "#test/support/words.ts";
import { failpoints } from "#agent/cycle/enforce.ts";
import { inParallel } from "#test/layers/parallel.ts";
import { type Arena, openArena } from "./arena.ts";
import { aftermaths, damages, type Moment, type Result, type Trial } from "./trial.ts";

const say = (line: string): void => void process.stdout.write(`${line}\n`);
/** The longest step, the probe by new connections, takes less where the machine is not overloaded. */
const killWithinMs = 100;

/** Mulberry32: numbers from 0 up to 1 that depend on the seed alone. */
function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function trialOf(seed: number): Trial {
  const random = numbers(seed);
  const pick = <T>(from: readonly T[], otherwise: T): T =>
    from[Math.floor(random() * from.length)] ?? otherwise;
  const moment = (): Moment => ({
    after: pick(["begun", ...failpoints], "begun"),
    ms: Math.floor(random() * killWithinMs),
  });
  const kill = random() < 0.5 ? pick(failpoints, "loaded") : moment();
  return { kill, aftermath: pick(aftermaths, "reboot"), slots: pick(damages, "good") };
}

/** What the kernel may hold after a trial: law 2. */
const lawful = ({ holds, committed }: Result, { slots }: Trial): boolean =>
  holds === (committed ? "after" : "before") || (holds === "closed" && slots !== "good");

function wordsOf({ kill, aftermath, slots }: Trial): string {
  const at = typeof kill === "string" ? `when ${kill}` : `${kill.ms} ms after ${kill.after}`;
  return `killed ${at}, ${aftermath}, slots ${slots}`;
}

const help = `Usage: npm run chaos -- [--trials N] [--seed S] [--parallel P]

Kills an agent at a drawn moment of an apply, crashes or boots its host, and knocks meanwhile. Needs root.

  --trials N     how many; 20 unless told
  --seed S       the seed of the first, each next one is one more; from the clock unless told
  --parallel P   how many at a time; three a core unless told

Ends with 0 when nothing opened, nobody was locked out and the kernel held what it may, else with 1.

  npm run chaos -- --trials 500
  npm run chaos -- --trials 1 --seed 4711`;

const count = z.coerce.number().int().min(1).max(1_000_000);
const {
  trials,
  seed: first,
  parallel,
} = readWords(
  help,
  z.strictObject({
    trials: count.default(20),
    seed: z.coerce
      .number()
      .int()
      .min(0)
      .max(0x7fff_ffff)
      .prefault(Date.now() % 1_000_000_000),
    parallel: count.default(3 * availableParallelism()),
  }),
);
const width = Math.min(parallel, trials);
const counts = { ran: 0, opens: 0, lockOuts: 0, unlawful: 0, failed: 0, knocks: 0 };
let interrupted = false;
process.once("SIGINT", () => (interrupted = true));

async function tryOne(arena: Arena, seed: number): Promise<void> {
  const trial = trialOf(seed);
  const result = await arena.run(trial);
  counts.ran += 1;
  counts.opens += result.opens;
  counts.lockOuts += result.lockOuts;
  counts.knocks += result.knocks;
  if (!lawful(result, trial)) counts.unlawful += 1;
  const found = `holds ${result.holds}; opens ${result.opens}, lock-outs ${result.lockOuts}`;
  say(`[${counts.ran}/${trials}] seed ${seed}: ${wordsOf(trial)}: ${found}`);
}

/** Takes one seed after the other until none is left. After a trial that could not be run the arena is another. */
async function lane(seeds: number[]): Promise<void> {
  let arena = await openArena();
  try {
    if ((await arena.opensWithoutRules()) === 0)
      throw new Error("knocks are silent without any rules too");
    for (let seed = seeds.shift(); seed !== undefined && !interrupted; seed = seeds.shift())
      try {
        await tryOne(arena, seed);
      } catch (error) {
        counts.failed += 1;
        say(`seed ${seed}: ${wordsOf(trialOf(seed))}: not run: ${String(error)}`);
        await arena.close();
        arena = await openArena();
      }
  } finally {
    await arena.close();
  }
}

const seeds = Array.from({ length: trials }, (_, i) => first + i);
await inParallel(width, Array.from({ length: width }), () => lane(seeds));
const { ran, opens, lockOuts, unlawful, failed, knocks } = counts;
say(
  `${ran} trials, ${knocks} knocks, opens ${opens}, lock-outs ${lockOuts}, ` +
    `neither last good nor closed ${unlawful}, not run ${failed}`,
);
process.exitCode = ran === trials && opens + lockOuts + unlawful + failed === 0 ? 0 : 1;
