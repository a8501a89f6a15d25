/** Runs one layer as a vitest process under its time limit and counts its tests. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Layer } from "./layers.ts";
import { tally, type Tally } from "./tally.ts";

const root = join(import.meta.dirname, "..", "..");
/** Between the polite and the rude end of a run that exceeded its limit, so that suites can clean up. */
const graceMilliseconds = 10_000;

export interface LayerOutcome extends Tally {
  readonly name: string;
  readonly seconds: number;
  readonly output: string;
}

interface Ended {
  readonly exitCode: number | null;
  readonly output: string;
}

function vitest(layer: Layer, reportFile: string): Promise<Ended> {
  const bin = join(root, "node_modules", ".bin");
  const program = join(root, "node_modules", "vitest", "vitest.mjs");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${reportFile}`];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, "run", ...layer.arguments, ...reporters], {
      cwd: root,
      env: { ...process.env, PATH: `${bin}:${process.env["PATH"] ?? ""}`, NO_COLOR: "1", CI: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const output: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => output.push(chunk));
    const limit = setTimeout(() => {
      output.push(Buffer.from(`\nstopped: longer than ${layer.limitSeconds} s\n`));
      child.kill("SIGTERM");
      setTimeout(() => child.kill("SIGKILL"), graceMilliseconds).unref();
    }, layer.limitSeconds * 1000);
    child.on("error", reject);
    child.on("close", (exitCode) => {
      clearTimeout(limit);
      resolve({ exitCode, output: Buffer.concat(output).toString() });
    });
  });
}

export async function runLayer(layer: Layer): Promise<LayerOutcome> {
  const started = performance.now();
  const folder = mkdtempSync(join(tmpdir(), "portcullis-test-"));
  try {
    const reportFile = join(folder, "report.json");
    const { exitCode, output } = await vitest(layer, reportFile);
    const counted = tally(existsSync(reportFile) ? readFileSync(reportFile, "utf8") : undefined, exitCode);
    return { ...counted, name: layer.name, output, seconds: (performance.now() - started) / 1000 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
