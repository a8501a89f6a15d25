import { expect, test } from "vitest";
import { sqlFaults } from "#test/checks/sql.ts";

test("SQL in quotes, and a long line of it, are named by file and line", () => {
  const text = [
    `const a = "SELECT x FROM t WHERE y = 1";`,
    "const b = `SELECT x",
    `  FROM t WHERE ${"y = 1 AND ".repeat(12)}z`,
    "  ORDER BY x`;",
    `const c = "SELECT generation FROM fleet";`,
  ].join("\n");
  expect(sqlFaults("worker/a/rows.ts", text)).toEqual([
    "worker/a/rows.ts:1: expected SQL in a template literal, one clause a line",
    "worker/a/rows.ts:3: expected a line of SQL of 100 columns at most",
  ]);
});
