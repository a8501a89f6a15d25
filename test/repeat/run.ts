/** Runs one program to its end and keeps what it said; and keeps every core busy meanwhile. Ends only what it started. */
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { sendSignal } from "#lab/run/process.ts";

export interface Run {
  readonly name: string;
  readonly beside: "quiet" | "busy";
  /** undefined when a signal ended it, as after `limitMs`. */
  readonly code: number | undefined;
  readonly seconds: number;
  /** The machine's load of the last minute as the run began: whether quiet was quiet. */
  readonly load: number;
  /** The line by which the program sums itself up. */
  readonly summary: string;
}

export interface Task {
  readonly name: string;
  readonly argv: readonly string[];
}

export interface Limits {
  readonly limitMs: number;
  /** Ends the run that is under way. */
  readonly ended: AbortSignal;
}

/** From being asked to end to being ended: enough to remove what was made. */
const graceMs = 60_000;

/** @param folder made for this run; `output.log` in it holds what the program said, `data` what it kept */
export async function runOnce(
  { name, argv: [command = "", ...args] }: Task,
  beside: Run["beside"],
  folder: string,
  { limitMs, ended }: Limits,
): Promise<Run> {
  mkdirSync(folder, { recursive: true });
  const log = join(folder, "output.log");
  const output = openSync(log, "w");
  const [load = 0] = loadavg();
  const loops = beside === "busy" ? keepBusy() : [];
  const began = performance.now();
  try {
    // A group of its own: what it started ends with it.
    const child = spawn(command, args, { stdio: ["ignore", output, output], detached: true });
    const timers: NodeJS.Timeout[] = [];
    const end = (): void => {
      if (child.pid === undefined) return;
      const group = -child.pid;
      sendSignal(group, "SIGTERM");
      timers.push(setTimeout(() => sendSignal(group, "SIGKILL"), graceMs));
    };
    timers.push(setTimeout(end, limitMs));
    ended.addEventListener("abort", end);
    const { promise, resolve, reject } = Promise.withResolvers<number | null>();
    child.on("error", reject).on("close", resolve);
    const code = await promise.finally(() => {
      for (const timer of timers) clearTimeout(timer);
      ended.removeEventListener("abort", end);
    });
    const seconds = (performance.now() - began) / 1000;
    return { name, beside, code: code ?? undefined, seconds, load, summary: summaryOf(log) };
  } finally {
    closeSync(output);
    await Promise.all(loops.map((loop) => loop.terminate()));
  }
}

/** Threads, so that they cannot outlive whoever started them. */
const keepBusy = (): readonly Worker[] =>
  Array.from({ length: availableParallelism() }, () => new Worker("for (;;);", { eval: true }));

/** The last line that counts something, as `npm start -- --once` and `npm test` end with one. */
function summaryOf(log: string): string {
  const lines = readFileSync(log, "utf8").split("\n");
  const sum = lines.findLast((line) => /\d+ (checks agree|passed), \d+ (differ|failed)/.test(line));
  return (sum ?? lines.findLast((line) => line.trim() !== "") ?? "said nothing").trim();
}
