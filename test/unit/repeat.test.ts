/** `npm run repeat`: what it is asked for, what it makes of one run, and what it says of many. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { parseOptions } from "#test/repeat/options.ts";
import { runOnce } from "#test/repeat/run.ts";
import { tableOf } from "#test/repeat/table.ts";

const folder = mkdtempSync(join(tmpdir(), "portcullis-repeat-test-"));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("what it is asked for", () => {
  test("nothing named is the whole proof, and counts are said for what is named", () => {
    const plans = (...args: readonly string[]): unknown => {
      const parsed = parseOptions(args);
      return parsed.kind === "run" ? parsed.plans : parsed;
    };
    expect(plans()).toContainEqual({ name: "start", quiet: 20, busy: 10 });
    expect(plans()).toContainEqual({ name: "test", quiet: 5, busy: 0 });
    for (const name of ["e2e", "kernel", "attack"])
      expect(plans()).toContainEqual({ name, quiet: 0, busy: 5 });
    expect(plans("start", "start")).toEqual([{ name: "start", quiet: 20, busy: 10 }]);
    expect(plans("--busy", "2", "unit")).toEqual([{ name: "unit", quiet: 1, busy: 2 }]);
  });

  test.each([["layer"], ["--quiet", "-1"], ["--busy", "1001"], ["--minutes", "0"], ["--loud"]])(
    "%s is refused in words",
    (...args) => {
      expect(parseOptions(args)).toMatchObject({ kind: "usage" });
    },
  );
});

describe("one run", () => {
  const limits = { limitMs: 60_000, ended: new AbortController().signal };
  const task = (script: string) => ({ name: "x", argv: [process.execPath, "-e", script] });

  test.each([
    [0, "quiet"],
    [3, "busy"],
  ] as const)(
    "that ends with %d is told by that and its last sum, with its output kept",
    async (code, beside) => {
      const own = join(folder, "own");
      const said = `console.log("30 checks agree, 0 differ\\ncleaning up"); process.exitCode = ${code}`;
      const run = await runOnce(task(said), beside, own, limits);
      expect(run).toMatchObject({ name: "x", beside, code, summary: "30 checks agree, 0 differ" });
      expect(readFileSync(join(own, "output.log"), "utf8")).toMatch(/cleaning up/);
    },
  );

  test("that does not end by itself is ended in time, with what it started, and has no exit code", async () => {
    const own = join(folder, "own");
    const started = `const { spawn } = require("node:child_process");
      const { pid } = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "inherit" });
      console.log(pid); setInterval(() => {}, 1000)`;
    const ended = new AbortController();
    const running = runOnce(task(started), "quiet", own, { ...limits, ended: ended.signal });
    const log = join(own, "output.log");
    const pidOf = (): string => (existsSync(log) ? readFileSync(log, "utf8").trim() : "");
    await expect.poll(pidOf, { timeout: 30_000 }).toMatch(/^\d+$/);
    const pid = pidOf();
    ended.abort();
    expect(await running).toMatchObject({ code: undefined });
    const alive = (): boolean =>
      existsSync(`/proc/${pid}/stat`) &&
      !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
    await expect.poll(alive, { timeout: 30_000 }).toBe(false);
  });
});

test("the table has a row for each thing and what ran beside it, and counts too busy apart from wrong", () => {
  const run = { name: "start", beside: "busy", seconds: 30, load: 2, summary: "" } as const;
  const runs = [0, 3, 1, undefined].map((code, i) => ({ ...run, code, seconds: 30 + i }));
  const cells = tableOf([...runs, { ...run, beside: "quiet", code: 0 }])
    .split("\n")
    .map((line) => line.split(/ {2,}/));
  expect(cells).toEqual([
    ["what", "beside", "runs", "right", "wrong", "too busy", "s min", "median", "max", "load"],
    ["start", "busy", "4", "1", "2", "1", "30", "32", "33", "2.0"],
    ["start", "quiet", "1", "1", "0", "0", "30", "30", "30", "2.0"],
  ]);
});
