/** What the document check takes for a path of this repository and for an npm script. */
import { expect, test } from "vitest";
import { citedPaths, citedScripts, linkedPaths } from "../checks/documents.ts";

const folders = new Set(["schema", "agent"]);

test("takes paths below the repository's folders and files of its root for cited paths", () => {
  const markdown =
    "`schema/ruleset.ts`, `agent/trust/`, `README.md`, `/v1/agent/update`, `guard.yaml`, `apply(program)`";
  expect(citedPaths(markdown, folders)).toEqual(["README.md", "agent/trust/", "schema/ruleset.ts"]);
});

test("leaves alone what only looks like a path", () => {
  expect(
    citedPaths("`group:overlay/name`, `overlays/<key>#egress`, `agent/*`, `inet/portcullis`", folders),
  ).toEqual([]);
});

test("takes links within the repository, and none to the web or within the page", () => {
  expect(linkedPaths("[a](how-to/b.md#part) [c](https://example.org/) [d](#e) [f](../g.md)")).toEqual([
    "../g.md",
    "how-to/b.md",
  ]);
});

test("takes npm scripts in their long and short form", () => {
  expect(citedScripts("`npm run test:unit`, `npm start -- --once` and `npm test`")).toEqual([
    "start",
    "test",
    "test:unit",
  ]);
});
