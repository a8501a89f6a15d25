/**
 * `npm run chaos -- --trials N [--seed S]`: trials at random steps and random moments, with random aftermaths and disks.
 * Prints each trial with its seed, so that `--trials 1 --seed S` is that trial again, and ends with the counts.
 * Exit 1 unless nothing was open and nobody locked out.
 */
import { parseArgs } from "node:util";
import { failpoints } from "#agent/enforce.ts";
import { aftermaths, damages, openArena, type Result, type Trial } from "./trial.ts";

const say = (line: string): void => void process.stdout.write(`${line}\n`);
/** An agent of ours is through its whole cycle by then. */
const killWithinMs = 900;

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
  const kill = random() < 0.5 ? pick(failpoints, "loaded") : Math.floor(random() * killWithinMs);
  return { kill, aftermath: pick(aftermaths, "reboot"), slots: pick(damages, "good") };
}

/** What the kernel may hold after a trial: law 2. */
const lawful = ({ holds, committed }: Result, { slots }: Trial): boolean =>
  holds === (committed ? "after" : "before") || (holds === "closed" && slots !== "good");

const { values } = parseArgs({ options: { trials: { type: "string" }, seed: { type: "string" } } });
const trials = Number(values.trials ?? 20);
const first = values.seed === undefined ? Date.now() % 1_000_000_000 : Number(values.seed);
if (!Number.isSafeInteger(trials) || trials < 1 || !Number.isSafeInteger(first))
  throw new RangeError("expected --trials N, and --seed S");

const arena = await openArena();
const counts = { opens: 0, lockOuts: 0, unlawful: 0, knocks: 0 };
try {
  for (let seed = first; seed < first + trials; seed++) {
    const trial = trialOf(seed);
    const result = await arena.run(trial);
    counts.opens += result.opens;
    counts.lockOuts += result.lockOuts;
    counts.knocks += result.knocks;
    if (!lawful(result, trial)) counts.unlawful += 1;
    const at = typeof trial.kill === "number" ? `after ${trial.kill} ms` : `when ${trial.kill}`;
    const what = `killed ${at}, ${trial.aftermath}, slots ${trial.slots}: holds ${result.holds}`;
    say(`seed ${seed}: ${what}; opens ${result.opens}, lock-outs ${result.lockOuts}`);
  }
} finally {
  await arena.close();
}
const { opens, lockOuts, unlawful, knocks } = counts;
say(
  `${trials} trials, ${knocks} knocks, opens ${opens}, lock-outs ${lockOuts}, neither last good nor closed ${unlawful}`,
);
process.exitCode = opens + lockOuts + unlawful === 0 ? 0 : 1;
