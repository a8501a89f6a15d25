/** What the check of test/FAULTS.md finds in a table that is not true. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { faultTableFindings } from "../checks/faults.ts";

const file = "test/attack/a.test.ts";
const rows = readFileSync(join(import.meta.dirname, "..", "FAULTS.md"), "utf8")
  .split("\n")
  .flatMap((line) => /^\| (\d+\.\d+) \|/.exec(line)?.[1] ?? []);
const table = (last: string): string =>
  rows
    .map(
      (number, i) =>
        `| ${number} | M | a | b | c | ${i === rows.length - 1 ? last : "Argued: why"} |`,
    )
    .join("\n");
const findings = (markdown: string): string =>
  faultTableFindings(markdown, (asked) =>
    asked === file ? 'test("refuses it", () => {});' : undefined,
  ).join("\n");

test.each([
  ["names a test", `\`${file}\`: "refuses it"`],
  ["argues", "Argued: it is right as it is, see the run"],
])("finds nothing in a fault that %s", (_, last) => {
  expect(findings(table(last))).toBe("");
});

test.each([
  ["a test of another title", `\`${file}\`: "refuses"`, /no such test/],
  ["a title without a file", 'by "refuses it"', /without its file/],
  ["neither test nor argument", "yes", /no test and no argument/],
])("finds %s in a fault", (_, last, finding) => {
  expect(findings(table(last))).toMatch(finding);
});

test("finds a fault that is not in the table", () => {
  expect(findings(table("Argued: why").replace(/^.*\n/, ""))).toMatch(/expected the faults/);
});
