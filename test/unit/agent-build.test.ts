import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const copy = mkdtempSync(join(tmpdir(), "portcullis-build-"));
afterAll(() => rmSync(copy, { recursive: true, force: true }));

/** Built in a copy, so that a test never changes the tree it runs in. */
beforeAll(() => {
  for (const name of [
    "agent",
    "args",
    "cli",
    "core",
    "tls",
    "schema",
    "package.json",
    "tsconfig.json",
    "build.mjs",
  ])
    cpSync(join(root, name), join(copy, name), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  execFileSync(process.execPath, ["build.mjs"], { cwd: copy });
  // What was built stands alone: nothing of the repository is left for it to read.
  for (const name of ["agent", "args", "cli", "core", "tls", "schema", "node_modules"])
    rmSync(join(copy, name), { recursive: true });
});

const built = (program: string, ...args: readonly string[]): string =>
  execFileSync(process.execPath, [join(copy, "dist", program), ...args], {
    encoding: "utf8",
    cwd: "/",
    env: {},
  });

test("the built agent is one file that runs by itself", () => {
  expect(built("portcullis-agent.mjs", "--help")).toMatch(/^portcullis-agent: /);
  expect(
    built("portcullis-agent.mjs", "status", "--json", "--state-dir", "/nonexistent"),
  ).toContain('"unenrolled"');
});

test("the built command line is one file that runs by itself", () => {
  expect(built("portcullis.mjs", "--help")).toContain("portcullis");
});
