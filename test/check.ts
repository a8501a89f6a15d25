/** `npm run check`: every step, two at a time, one line each; what failed is shown in full. Exit code 1 if any failed. */
import { inParallel } from "./layers/parallel.ts";
import { runStep, steps } from "./checks/steps.ts";
import { printOutcome } from "./checks/print.ts";

const outcomes = await inParallel(2, steps, async (step) => {
  const outcome = await runStep(step);
  printOutcome("check", outcome);
  return outcome;
});
const failed = outcomes.filter((outcome) => !outcome.passed).length;
process.stdout.write(`${outcomes.length - failed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
