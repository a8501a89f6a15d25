/**
 * The only place in the agent that starts a process: an argument array and stdin, never a shell, with a time limit and
 * a cap on output. Nothing that came over the network is ever an argument.
 */
import { type ChildProcess, type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";

export interface ExecResult {
  /** Exit status; null when a signal ended it. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs `argv` with `input` on stdin. Rejects when the program cannot be started, runs too long or says too much.
 * @param answer `line`: the first line of output is all that is wanted, with status 0; the program's end is not awaited
 */
export type Exec = (
  argv: readonly string[],
  input: string,
  answer?: "whole" | "line",
) => Promise<ExecResult>;

export interface ExecLimits {
  /** Put before every argv, such as `["ip", "netns", "exec", "gw"]`. */
  readonly prefix: readonly string[];
  readonly timeoutSeconds: number;
  readonly outputBytesMax: number;
  /** Told of every process that was started, so that an observer can tell our own from others'. */
  readonly started: (pid: number) => void;
}

/** A listing of half a million elements is about 20 MB. */
const defaults: ExecLimits = {
  prefix: [],
  timeoutSeconds: 120,
  outputBytesMax: 128 * 1024 * 1024,
  started: () => undefined,
};

/**
 * The whole environment of a child: the locale makes error messages the ones we know, and a home that is no folder keeps
 * an interactive nft from writing its history there.
 */
const environment = (): NodeJS.ProcessEnv => ({
  PATH: process.env["PATH"],
  LC_ALL: "C",
  HOME: "/dev/null",
});

/** Ends what runs too long. Not by spawn's `timeout`: where nothing started, its timer keeps this process for all that time. */
function endAfter(child: ChildProcess, seconds: number): void {
  if (child.pid === undefined) return;
  const timer = setTimeout(() => void child.kill("SIGKILL"), seconds * 1000);
  child.once("exit", () => clearTimeout(timer));
}

/** An `Exec` on this machine. */
export function spawnExec(limits: Partial<ExecLimits> = {}): Exec {
  const { prefix, timeoutSeconds, outputBytesMax, started } = { ...defaults, ...limits };
  return (argv, input, answer = "whole") =>
    new Promise((resolve, reject) => {
      const [file, ...args] = [...prefix, ...argv];
      if (file === undefined) return reject(new RangeError("expected a program to run"));
      const child = spawn(file, args, {
        stdio: ["pipe", "pipe", "pipe"],
        env: environment(),
      });
      endAfter(child, timeoutSeconds);
      if (child.pid !== undefined) started(child.pid);
      const output = collect(child, outputBytesMax, (soFar) => {
        if (answer === "line" && soFar().stdout.endsWith("\n"))
          // What it wrote to stderr before is there by now, but may be read only later in this turn.
          setImmediate(() => resolve({ status: 0, ...soFar() }));
      });
      child.on("error", reject);
      child.on("close", (status) => {
        const said = output();
        if (said !== undefined) resolve({ status, ...said });
        else reject(new Error(`${file} wrote more than ${outputBytesMax} bytes`));
      });
      // EPIPE: the program ended before it read all; its exit status says why.
      child.stdin.on("error", () => undefined);
      child.stdin.end(input);
    });
}

/** Runs `argv` and hands on each line of its output, so that no output is too long. Otherwise as `Exec`. */
export type Stream = (
  argv: readonly string[],
  onOutput: (line: string) => void,
) => Promise<Pick<ExecResult, "status" | "stderr">>;

const stderrLengthMax = 4_096;

/** @param prefix put before every argv, as for `spawnExec` */
export const spawnStream =
  (prefix: readonly string[] = [], timeoutSeconds: number = defaults.timeoutSeconds): Stream =>
  (argv, onOutput) =>
    new Promise((resolve, reject) => {
      const [file, ...args] = [...prefix, ...argv];
      if (file === undefined) return reject(new RangeError("expected a program to run"));
      const child = spawn(file, args, {
        stdio: ["ignore", "pipe", "pipe"],
        env: environment(),
      });
      endAfter(child, timeoutSeconds);
      let stderr = "";
      callForEachLine(child.stdout, onOutput);
      child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
        stderr = (stderr + chunk).slice(0, stderrLengthMax);
      });
      child.on("error", reject);
      child.on("close", (status) => resolve({ status, stderr }));
    });

/** A program that stays: hands on each line it says on either output, and resolves when it has ended or was told to. */
export type Follow = (
  argv: readonly string[],
  onOutput: (line: string) => void,
  stop: AbortSignal,
) => Promise<void>;

/** A longer line is handed on in pieces. */
const lineLengthMax = 64 * 1024;

/** @param prefix put before every argv, as for `spawnExec`. @returns a `Follow`; its promise rejects when nothing started */
export const spawnFollow =
  (prefix: readonly string[] = []): Follow =>
  (argv, onOutput, stop) =>
    new Promise((resolve, reject) => {
      const [file, ...args] = [...prefix, ...argv];
      if (file === undefined) return reject(new RangeError("expected a program to run"));
      if (stop.aborted) return resolve();
      const child = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"], env: environment() });
      const end = (): void => void child.kill("SIGKILL");
      stop.addEventListener("abort", end, { once: true });
      for (const output of [child.stdout, child.stderr]) callForEachLine(output, onOutput);
      child.on("error", reject);
      child.on("close", () => {
        stop.removeEventListener("abort", end);
        resolve();
      });
    });

function callForEachLine(output: Readable, onOutput: (line: string) => void): void {
  let rest = "";
  output.setEncoding("utf8").on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onOutput(line);
    if (rest.length > lineLengthMax) {
      onOutput(rest);
      rest = "";
    }
  });
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;
type Said = Pick<ExecResult, "stdout" | "stderr">;

/** @returns what the child has said; undefined when it was too much, and then the child is ended */
function collect(
  child: Child,
  bytesMax: number,
  onOutput: (soFar: () => Said) => void,
): () => Said | undefined {
  let size = 0;
  const chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  const describeOutput = (): Said => ({
    stdout: Buffer.concat(chunks.stdout).toString("utf8"),
    stderr: Buffer.concat(chunks.stderr).toString("utf8"),
  });
  for (const name of ["stdout", "stderr"] as const)
    child[name].on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > bytesMax) return void child.kill("SIGKILL");
      chunks[name].push(chunk);
      if (chunk.at(-1) === newline) onOutput(describeOutput);
    });
  return () => (size > bytesMax ? undefined : describeOutput());
}

const newline = 10;

const startMs = 10_000;

/**
 * Starts a process that outlives this one, in a session of its own. Resolves with its first line of output, which it
 * says when it is at work; rejects when it ends before that, or says nothing for ten seconds.
 */
export function startDetached(argv: readonly string[]): Promise<void> {
  const [file, ...args] = argv;
  if (file === undefined) return Promise.reject(new RangeError("expected a program to run"));
  return new Promise((resolve, reject) => {
    const stdio: ["ignore", "pipe", "ignore"] = ["ignore", "pipe", "ignore"];
    const child = spawn(file, args, { stdio, env: environment(), detached: true, cwd: "/" });
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      settle(() => reject(new Error(`${file} did not start in time`)));
    }, startMs);
    const settle = (how: () => void): void => {
      clearTimeout(timer);
      child.stdout.destroy();
      child.unref();
      how();
    };
    child.on("error", (error) => settle(() => reject(error)));
    child.on("exit", () => settle(() => reject(new Error(`${file} ended before it was at work`))));
    child.stdout.once("data", () => settle(resolve));
  });
}

const glanceMs = 50;

/** Waits while another process of ours is at work, and no longer than the limit. */
export async function waitWhile(busy: () => boolean, limitMs: number): Promise<void> {
  for (let waited = 0; waited < limitMs && busy(); waited += glanceMs)
    await new Promise((resolve) => setTimeout(resolve, glanceMs));
}
