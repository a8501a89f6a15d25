/** What the document check takes for a path of this repository and for an npm script. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { citedPaths, citedScripts, linkedPaths } from "../checks/documents.ts";

const root = join(import.meta.dirname, "..", "..");
const folders = new Set(["schema", "agent"]);

test("takes paths below the repository's folders and files of its root for cited paths", () => {
  const markdown =
    "`schema/ruleset.ts`, `agent/trust/`, `README.md`, `/v1/agent/update`, `guard.yaml`, `apply(program)`";
  expect(citedPaths(markdown, folders)).toEqual(["README.md", "agent/trust/", "schema/ruleset.ts"]);
});

test("leaves alone what only looks like a path", () => {
  expect(
    citedPaths(
      "`group:overlay/name`, `overlays/<key>#egress`, `agent/*`, `inet/portcullis`",
      folders,
    ),
  ).toEqual([]);
});

test("takes links within the repository, and none to the web or within the page", () => {
  expect(
    linkedPaths("[a](how-to/b.md#part) [c](https://example.org/) [d](#e) [f](../g.md)"),
  ).toEqual(["../g.md", "how-to/b.md"]);
});

test("takes npm scripts in their long and short form", () => {
  expect(citedScripts("`npm run test:unit`, `npm start -- --once` and `npm test`")).toEqual([
    "start",
    "test",
    "test:unit",
  ]);
});

test("every decision has a number, a date and what was refused, and is listed where people look", () => {
  const folder = join(root, "docs", "adr");
  const names = readdirSync(folder).filter((name) => name !== "README.md");
  const [list, design] = [join(folder, "README.md"), join(root, "DESIGN.md")].map((path) =>
    readFileSync(path, "utf8"),
  );
  for (const [i, name] of names.toSorted().entries()) {
    expect(name).toMatch(new RegExp(`^${String(i + 1).padStart(4, "0")}-[a-z-]+\\.md$`));
    const text = readFileSync(join(folder, name), "utf8");
    expect([name, text]).toEqual([
      name,
      expect.stringMatching(/^# \d+\. .+\n\nDate: 20\d\d-\d\d-\d\d\. Status: \S/),
    ]);
    for (const part of ["## Decision", "## Why", "## Refused\n\n- "])
      expect([name, text]).toEqual([name, expect.stringContaining(part)]);
    expect(list).toContain(`(${name})`);
    expect(design).toContain(`(docs/adr/${name})`);
  }
});
