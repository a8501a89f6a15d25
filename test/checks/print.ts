/** One line for what passed, everything for what failed. Plain text: it is read in logs. */
import type { Outcome } from "./steps.ts";

export function printOutcome(group: string, outcome: Outcome): void {
  const mark = outcome.passed ? "ok  " : "FAIL";
  process.stdout.write(
    `${mark} ${group}: ${outcome.name} (${outcome.seconds.toFixed(1)} s)${measured(outcome)}\n`,
  );
  if (!outcome.passed) process.stdout.write(`${outcome.output.trimEnd()}\n\n`);
}

const measured = ({ passed, output }: Outcome): string =>
  passed && /^[^\n]+$/.test(output) ? `: ${output}` : "";
