/** How SQL is written (CONTRIBUTING, Style): as a template literal, one clause a line, no line over 100 columns. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { trackedFiles } from "./tracked.ts";

const columnsMax = 100;
/** A statement of more than one clause in quotes, which cannot be broken into lines. */
const quoted =
  /["'](?:SELECT|INSERT|UPDATE|DELETE|WITH)\b.*\b(?:FROM|SET|VALUES|INTO)\b.*\b(?:WHERE|JOIN|SELECT)\b/;
/** A line within a template that holds SQL. */
const clause = /\b(?:SELECT|FROM|WHERE|JOIN|json_each|ON CONFLICT|->>)/;

export function sqlFaults(path: string, text: string): readonly string[] {
  return text.split("\n").flatMap((line, i) => {
    const at = `${path}:${i + 1}`;
    if (quoted.test(line)) return [`${at}: expected SQL in a template literal, one clause a line`];
    if (line.length > columnsMax && clause.test(line) && !/^\s*(?:\*|\/\/|\/\*)/.test(line))
      return [`${at}: expected a line of SQL of ${columnsMax} columns at most`];
    return [];
  });
}

export const sqlFindings = (root: string): readonly string[] =>
  trackedFiles(root)
    .filter((path) => /^worker\/.*(?:\brows|-rows)\.ts$|^worker\/db\/[^/]+\.ts$/.test(path))
    .flatMap((path) => sqlFaults(path, readFileSync(join(root, path), "utf8")));
