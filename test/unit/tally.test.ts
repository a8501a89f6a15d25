/** The test runner must not be able to call a run green that proved less than it was asked to. */
import { expect, test } from "vitest";
import { tally } from "../layers/tally.ts";

const file = (status: string, ...tests: readonly string[]) => ({
  name: "a.test.ts",
  status,
  assertionResults: tests.map((testStatus, index) => ({ status: testStatus, fullName: `test ${index}` })),
});
const report = (...testResults: readonly ReturnType<typeof file>[]): string =>
  JSON.stringify({ testResults });

test.each([
  ["counts what passed and what failed", report(file("failed", "passed", "failed")), 1, 1, 1],
  ["is green only when every test passed", report(file("passed", "passed", "passed")), 0, 2, 0],
  ["counts a skipped test as failed", report(file("passed", "passed", "skipped")), 0, 1, 1],
  ["counts a todo and a pending test as failed", report(file("passed", "todo", "pending")), 0, 0, 2],
  ["counts a file that did not load as failed", report(file("failed"), file("passed", "passed")), 1, 1, 1],
  ["counts a suite whose hook failed after its tests as failed", report(file("failed", "passed")), 1, 1, 1],
  ["counts a run without tests as failed", report(), 0, 0, 1],
  ["counts a bad exit code as failed though every test passed", report(file("passed", "passed")), 1, 1, 1],
  ["counts a killed run as failed though every test passed", report(file("passed", "passed")), null, 1, 1],
  ["counts a run without a report as failed", undefined, 0, 0, 1],
])("%s", (_title, text, exitCode, passed, failed) => {
  expect(tally(text, exitCode)).toMatchObject({ passed, failed });
});
