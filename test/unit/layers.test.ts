/** How `npm test` runs a layer: by what it says, and not by how long it takes. */
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { startTicks } from "#lab/run/process.ts";
import { runLayer, type LayerOutcome } from "../layers/run-layer.ts";

/** Runs these files as a layer of their own, which is asked to end when `enough` was heard. */
async function layerOf(
  files: Readonly<Record<string, string>>,
  silence: number,
  enough?: RegExp,
): Promise<{ readonly outcome: LayerOutcome; readonly heard: string }> {
  const folder = mkdtempSync(join(tmpdir(), "portcullis-layer-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  symlinkSync(join(import.meta.dirname, "..", "..", "node_modules"), join(folder, "node_modules"));
  writeFileSync(
    join(folder, "vitest.config.mjs"),
    "export default { test: { testTimeout: 600_000 } };",
  );
  for (const [name, text] of Object.entries(files))
    writeFileSync(join(folder, name), `import { test, expect } from "vitest"; ${text}`);
  let heard = "";
  const ended = new AbortController();
  const layer = { name: "trial", arguments: ["--root", folder] };
  const hear = (text: string): void => {
    heard += text;
    if (enough?.test(heard) === true) ended.abort();
  };
  const outcome = await runLayer(layer, hear, { ended: ended.signal, silence });
  return { outcome, heard };
}

test("a layer that says nothing is cut, and what had passed before is counted and named", async () => {
  const { outcome, heard } = await layerOf(
    {
      "a.test.js": `
        test("one", () => {});
        test("two", () => new Promise(() => setInterval(() => {}, 1000)));
        test("three", () => {});`,
    },
    8,
  );
  expect(heard).toContain("passed a.test.js > one");
  expect(outcome.passed).toBe(1);
  expect(outcome.failed).toBe(3);
  expect(outcome.reasons).toEqual([
    "never ended: two",
    "never ended: three",
    "cut: no output for 8 s",
  ]);
});

test("a layer that is asked to end is cut, with every process of it, and what had passed is counted", async () => {
  const { outcome, heard } = await layerOf(
    {
      "a.test.js": `
        test("one", () => {});
        test("two", () => {
          process.stdout.write("pid " + process.pid + "\\n");
          return new Promise(() => setInterval(() => {}, 1000));
        });`,
    },
    600,
    /(?=[^]*pid \d)(?=[^]*passed a\.test\.js > one)/,
  );
  expect(outcome).toMatchObject({
    passed: 1,
    reasons: ["never ended: two", "cut: ended by a signal"],
  });
  const pid = /pid (\d+)/.exec(heard)?.[1];
  await expect.poll(() => startTicks(Number(pid)), { timeout: 300_000 }).toBeUndefined();
});

test("a layer that goes on saying something is not cut, however long it takes", async () => {
  const tick = `test.each(Array.from({ length: 20 }, (_, i) => i))("tick %i", () => new Promise((next) => setTimeout(next, 500)));`;
  const { outcome } = await layerOf({ "a.test.js": tick }, 8);
  expect(outcome).toMatchObject({ passed: 20, failed: 0, reasons: [] });
});

test("an error is shown where it happened, and what a test prints is heard", async () => {
  const text = `
    test("prints", () => console.log("a word on the way"));
    test("wrong", () => expect(1, "the sum").toBe(2));`;
  const { outcome } = await layerOf({ "a.test.js": text }, 60);
  expect(outcome).toMatchObject({ passed: 1, failed: 1 });
  expect(outcome.output).toMatch(
    /a word on the way[^]*failed a\.test\.js > wrong[^]*the sum: expected 1 to be 2/,
  );
});
