/**
 * `npm run mutants [-- --only WORD] [--times N]`: applies each mutant to a copy of the tree and runs the proof that must
 * go red. Prints a line for each; ends with 1 when one lives or could not be judged, with 2 for a word it does not know.
 */
import { parseArgs } from "node:util";
import * as z from "zod";
import { inParallel } from "#test/layers/parallel.ts";
import { type Mutant, mutants, type Proof } from "./mutants.ts";
import { type Outcome, tryProof } from "./trial.ts";

const help = `Usage: npm run mutants -- [--only WORD] [--times N]

Changes one thing at a time in a copy of the tree, as somebody might by mistake, runs the test or the differential run
that must see it, and names what went red. Runs every proof once on an unchanged copy first. Needs root for what the
kernel judges. Takes about eight minutes on two cores.

  --only WORD   mutants whose file or name has this in it
  --times N     each so many times, as tests draw anew each time; 1 unless told

Ends with 0 when every mutant was seen every time, else with 1.

  npm run mutants
  npm run mutants -- --only affected --times 10
`;

const Words = z.strictObject({
  only: z.string().default(""),
  times: z.coerce.number().int().min(1).max(1000).default(1),
  help: z.boolean().default(false),
});

function given(): unknown {
  try {
    const options = {
      only: { type: "string" },
      times: { type: "string" },
      help: { type: "boolean" },
    } as const;
    return parseArgs({ options }).values;
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exit(2);
  }
}

const words = Words.safeParse(given());
if (!words.success) {
  console.error(z.prettifyError(words.error));
  process.exit(2);
}
const { only, times } = words.data;
if (words.data.help) {
  process.stdout.write(help);
  process.exit(0);
}
const chosen = mutants.filter(({ file, name }) => file.includes(only) || name.includes(only));
if (chosen.length === 0) {
  console.error(`no mutant has ${only} in its file or name; they stand in test/mutants/mutants.ts`);
  process.exit(2);
}

const nameOf = (proof: Proof): string =>
  proof.kind === "test"
    ? `${proof.file}: "${proof.title}"`
    : `differential of ${proof.packets} packets`;
const placeOf = (proof: Proof): string => (proof.kind === "test" ? proof.file : nameOf(proof));
const width = 2;
const started = performance.now();

const proofs = [...new Map(chosen.map(({ proof }) => [nameOf(proof), proof])).values()];
const sound = await inParallel(width, proofs, async (proof) => {
  const { red, fault } = await tryProof(proof);
  const isGreen = fault === undefined && red.length === 0;
  console.log(`${isGreen ? "green   " : "NOT GREEN"} ${nameOf(proof)}, with nothing changed`);
  if (!isGreen) console.log([...red, ...(fault === undefined ? [] : [fault])].join("\n"));
  return isGreen;
});
if (!sound.every(Boolean)) process.exit(1);

function said({ name, file, proof }: Mutant, { red, fault }: Outcome): string {
  if (fault !== undefined) return `UNJUDGED ${file}: ${name}; ${fault}`;
  if (red.length === 0) return `LIVES    ${file}: ${name}; ${nameOf(proof)} saw nothing`;
  return `killed   ${file}: ${name}; by ${placeOf(proof)}: ${red.join("; ")}`;
}

const tries = Array.from({ length: times }, () => chosen).flat();
const killed = await inParallel(width, tries, async (mutant) => {
  const outcome = await tryProof(mutant.proof, mutant);
  console.log(said(mutant, outcome));
  return outcome.fault === undefined && outcome.red.length > 0;
});
const seen = killed.filter(Boolean).length;
const seconds = ((performance.now() - started) / 1000).toFixed(0);
console.log(
  `${killed.length} tries of ${chosen.length} mutants: ${seen} killed, ${killed.length - seen} not, in ${seconds} s`,
);
process.exitCode = seen === killed.length ? 0 : 1;
