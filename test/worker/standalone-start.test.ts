/** The standalone command on a database that it does not belong to: refused before anything changes, with the remedy. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { outputUntil } from "#test/support/child-output.ts";
import { host, installRoot, openPlane } from "#test/support/plane.ts";
import { openStandalone } from "#worker/standalone/index.ts";

const program = new URL("../../worker/standalone/main.ts", import.meta.url).pathname;
const run = promisify(execFile);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "portcullis-start-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("a start on a database that hosts trust", () => {
  const data = () => join(folder, "trusted");
  const keys = () => join(data(), "keys.json");
  const known = () => readFileSync(join(folder, "trusted-keys.json"));
  const start = (...args: readonly string[]) =>
    run(process.execPath, [program, "--data", data(), "--listen", "127.0.0.1:0", ...args]).catch(
      (error: unknown) => error,
    );
  /** Starts, and stops once it listens. */
  const served = async (...args: readonly string[]): Promise<void> => {
    const child = spawn(process.execPath, [
      program,
      "--data",
      data(),
      "--listen",
      "127.0.0.1:0",
      ...args,
    ]);
    await outputUntil(child, "first operator token");
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([0, null]);
  };
  beforeAll(async () => {
    const plane = await openPlane({ data: data() });
    await plane.commit(host("gw"));
    await installRoot(plane);
    await plane.close();
    copyFileSync(keys(), join(folder, "trusted-keys.json"));
  });
  beforeEach(() => writeFileSync(keys(), known()));

  test("refuses to start without its keys, makes none, and starts once they are back", async () => {
    rmSync(keys());
    const stderr: unknown = expect.stringMatching(
      /keys\.json is missing, .* root 1 names: put it back from a backup; .* --new-keys/,
    );
    expect(await start("--fleet", "f1")).toMatchObject({ code: 1, stdout: "", stderr });
    expect(existsSync(keys())).toBe(false);
    writeFileSync(keys(), known());
    await served("--fleet", "f1");
  });

  test("refuses to start with the keys of another, which stay as they are", async () => {
    const other = join(folder, "another");
    await (await openStandalone({ data: other, fleet: "f1", endpoints: [] })).close();
    copyFileSync(join(other, "keys.json"), keys());
    const text = readFileSync(keys(), "utf8");
    const stderr: unknown = expect.stringContaining(
      "holds other keys for targets and snapshot and timestamp",
    );
    expect(await start("--fleet", "f1")).toMatchObject({ code: 1, stdout: "", stderr });
    expect(readFileSync(keys(), "utf8")).toBe(text);
  });

  test("refuses to start for another fleet, and names the one it belongs to", async () => {
    const stderr: unknown = expect.stringContaining("belongs to fleet f1");
    expect(await start()).toMatchObject({ code: 1, stdout: "", stderr });
    expect(await start("--fleet", "f2")).toMatchObject({ code: 1, stdout: "", stderr });
  });

  test("prepares its data directory, new keys too where that is said, and ends without listening", async () => {
    rmSync(keys());
    expect(await start("--fleet", "f1", "--prepare")).toMatchObject({ code: 1, stdout: "" });
    const said = `first operator token: ${join(data(), "admin.token")}\n`;
    expect(await start("--fleet", "f1", "--new-keys", "--prepare")).toEqual({
      stdout: said,
      stderr: "",
    });
    await served("--fleet", "f1");
  });

  test("starts with new keys when that is said once, and then again without a word", async () => {
    rmSync(keys());
    await served("--fleet", "f1", "--new-keys");
    const made = readFileSync(keys(), "utf8");
    expect(statSync(keys()).mode & 0o777).toBe(0o600);
    await served("--fleet", "f1");
    expect(readFileSync(keys(), "utf8")).toBe(made);
  });
});
