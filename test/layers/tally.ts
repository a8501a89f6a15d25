/**
 * Counts one layer's tests from vitest's JSON report. Deny by default: a test that was skipped, a file that did not
 * load, a run without tests, without a report or with a bad exit code counts as failed.
 */
import * as z from "zod";

const Report = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      assertionResults: z.array(z.object({ status: z.string(), fullName: z.string() })),
    }),
  ),
});

export interface Tally {
  readonly passed: number;
  readonly failed: number;
  /** One line for each thing that vitest's own output does not call a failure. */
  readonly reasons: readonly string[];
}

/** `reportText` is undefined when the run left no report; `exitCode` is null when it was killed. */
export function tally(reportText: string | undefined, exitCode: number | null): Tally {
  if (reportText === undefined)
    return { passed: 0, failed: 1, reasons: [`no report, exit code ${exitCode ?? "none"}`] };
  const report = Report.parse(JSON.parse(reportText));
  const tests = report.testResults.flatMap((file) => file.assertionResults);
  const reasons = tests
    .filter((test) => test.status !== "passed" && test.status !== "failed")
    .map((test) => `${test.status}, which counts as failed: ${test.fullName}`);
  const broken = report.testResults.filter(
    (file) => file.status !== "passed" && !file.assertionResults.some((test) => test.status !== "passed"),
  );
  reasons.push(...broken.map((file) => `did not run to its end: ${file.name}`));
  const passed = tests.filter((test) => test.status === "passed").length;
  const failed = tests.length - passed + broken.length;
  if (tests.length === 0) return { passed, failed: failed + 1, reasons: [...reasons, "ran no test"] };
  if (failed === 0 && exitCode !== 0) {
    return { passed, failed: 1, reasons: [...reasons, `exit code ${exitCode ?? "none"}`] };
  }
  return { passed, failed, reasons };
}
