/**
 * Runs one layer as a vitest process and counts its tests. A layer may take as long as it needs while it says something;
 * one that has said nothing for a while hangs, is cut, and what had passed is counted.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sendSignal } from "#lab/run/process.ts";
import { journalVariable } from "./journal.ts";
import type { Layer } from "./layers.ts";
import { type Ending, tally, type Tally } from "./tally.ts";

const root = join(import.meta.dirname, "..", "..");
/** A line comes with each test and file that ends, and while a test waits for something; no test is silent for so long. */
const silenceSeconds = 180;
/** Between the polite and the rude end of a run that is cut, so that suites can clean up. */
const graceMilliseconds = 10_000;

export interface LayerOutcome extends Tally {
  readonly name: string;
  readonly seconds: number;
  readonly output: string;
}

export interface Ends {
  /** Cuts the run. */
  readonly ended: AbortSignal;
  /** Seconds without output after which the run is cut. */
  readonly silence?: number;
}

/** @param heard hears each piece of output as it comes */
function vitest(
  layer: Layer,
  journal: string,
  { ended, silence = silenceSeconds }: Ends,
  heard: (text: string) => void,
): Promise<{ readonly ending: Ending; readonly output: string }> {
  const bin = join(root, "node_modules", ".bin");
  const program = join(root, "node_modules", "vitest", "vitest.mjs");
  const reporter = `--reporter=${join(import.meta.dirname, "reporter.ts")}`;
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, "run", ...layer.arguments, reporter], {
      cwd: root,
      env: {
        ...process.env,
        [journalVariable]: journal,
        PATH: `${bin}:${process.env["PATH"] ?? ""}`,
        NO_COLOR: "1",
        CI: "1",
      },
      stdio: ["ignore", "pipe", "pipe"],
      // A group of its own, so that the workers of a run that is cut go with it.
      detached: true,
    });
    const output: string[] = [];
    let cut: string | undefined;
    const end = (reason: string): void => {
      if (cut !== undefined) return;
      cut = reason;
      clearTimeout(limit);
      killGroup(child.pid, "SIGTERM");
      setTimeout(() => killGroup(child.pid, "SIGKILL"), graceMilliseconds);
    };
    const silent = (): void => end(`no output for ${silence} s`);
    const asked = (): void => end("ended by a signal");
    ended.addEventListener("abort", asked);
    let limit = setTimeout(silent, silence * 1000);
    const hear = (text: string): void => {
      output.push(text);
      heard(text);
      if (cut !== undefined) return;
      clearTimeout(limit);
      limit = setTimeout(silent, silence * 1000);
    };
    child.stdout.setEncoding("utf8").on("data", hear);
    child.stderr.setEncoding("utf8").on("data", hear);
    child.on("error", reject);
    // What a test started may hold the pipes open for ever.
    child.on(
      "exit",
      () => cut !== undefined && [child.stdout, child.stderr].map((pipe) => pipe.destroy()),
    );
    child.on("close", (exitCode) => {
      clearTimeout(limit);
      ended.removeEventListener("abort", asked);
      resolve({ ending: cut === undefined ? { exitCode } : { cut }, output: output.join("") });
    });
  });
}

function killGroup(pid: number | undefined, name: NodeJS.Signals): void {
  if (pid !== undefined) sendSignal(-pid, name);
}

export async function runLayer(
  layer: Layer,
  heard: (text: string) => void,
  ends: Ends,
): Promise<LayerOutcome> {
  const started = performance.now();
  const folder = mkdtempSync(join(tmpdir(), "portcullis-test-"));
  try {
    const journal = join(folder, "journal.jsonl");
    const { ending, output } = await vitest(layer, journal, ends, heard);
    const counted = tally(existsSync(journal) ? readFileSync(journal, "utf8") : undefined, ending);
    return { ...counted, name: layer.name, output, seconds: (performance.now() - started) / 1000 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
