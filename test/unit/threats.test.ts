/** What the check of THREATS.md finds in a table that is not true. */
import { expect, test } from "vitest";
import { citedTests } from "../checks/cited-tests.ts";
import { rows, tableFindings } from "../checks/threats.ts";

const file = "test/attack/a.test.ts";
const table = (last: string): string =>
  [
    ...Array.from({ length: rows - 1 }, (_, n) => `| ${n + 1} | a | b | Open: why |`),
    `| ${rows} | a | b | ${last} |`,
  ].join("\n");
const findings = (last: string) =>
  tableFindings(table(last), (asked) =>
    asked === file ? 'test("refuses it", () => {});' : undefined,
  );

test("reads every title of every file of a cell", () => {
  const other = "test/unit/b.test.ts";
  expect(citedTests(`x \`${file}\`: "one"; "two". \`${other}\`: "three". Open: y`)).toEqual([
    { file, title: "one" },
    { file, title: "two" },
    { file: other, title: "three" },
  ]);
});

test("finds nothing in a row whose test exists", () => {
  expect(findings(`\`${file}\`: "refuses it"`)).toEqual([]);
});

test.each([
  ["a test of another title", `\`${file}\`: "refuses"`, /no such test/],
  ["a file that is not there", '`test/attack/b.test.ts`: "refuses it"', /no such test/],
  ["a title without a file", 'by "refuses it"', /without its file/],
  ["neither test nor reason", "yes", /not open/],
  ["a code that is none", `\`no_such\` \`${file}\`: "refuses it"`, /refusal code/],
])("finds %s", (_, last, finding) => {
  expect(findings(last).join("\n")).toMatch(finding);
});

test("finds a missing row", () => {
  expect(tableFindings("| 1 | a | b | Open: why |", () => undefined)).toHaveLength(1);
});
