/**
 * Runs programs for the lab: argument arrays and stdin only, never a shell. Long-lived children get a process group of
 * their own, so that Ctrl-C reaches the lab alone and the lab ends them in order.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";

/** How long anything is waited for. Far more than a busy machine needs: it bounds a wait and decides nothing. */
export const patienceMs = 300_000;

export interface Outcome {
  /** undefined when a signal ended it. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly timeoutMs?: number;
}

/** Runs one program to its end. A missing program rejects; any exit code resolves. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const [command, ...args] = argv;
  if (command === undefined) throw new RangeError("expected a command");
  const child = spawn(command, args, {
    stdio: ["pipe", "pipe", "pipe"],
    env: options.env ?? process.env,
    cwd: options.cwd,
    timeout: options.timeoutMs ?? patienceMs,
    killSignal: "SIGKILL",
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
  child.stdin.on("error", ignoreClosedPipe).end(options.input ?? "");
  const [code] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  return { code: code ?? undefined, stdout, stderr };
}

/** A program that exits before it has read its input is judged by its exit code. */
function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
}

/** Runs a program that must succeed. @returns its standard output */
export async function must(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const outcome = await run(argv, options);
  if (outcome.code === 0) return outcome.stdout;
  const [reason] = outcome.stderr.trim().split("\n");
  throw new Error(
    `${argv.slice(0, 6).join(" ")} failed: ${reason ?? `exit ${outcome.code ?? "by signal"}`}`,
  );
}

/** Fields 3 and later of /proc/pid/stat (proc_pid_stat(5)), undefined for a process that is gone. */
function readStatFields(pid: number): readonly string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined; // gone, which is an answer
  }
}

/** When a process started, in clock ticks since boot: tells it from a later one with the same pid. */
export function startTicks(pid: number): string | undefined {
  const fields = readStatFields(pid);
  return fields?.[0] === "Z" ? undefined : fields?.[19];
}

/** Processes that this one started, by whatever library: field 4 of /proc/pid/stat is the parent. */
export function listChildProcesses(): readonly number[] {
  const pids = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  return pids.filter((pid) => readStatFields(pid)?.[1] === `${process.pid}`);
}

/** Sends a signal; a process that has gone already is fine. */
export function sendSignal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** Starts a child that stays. `log` is an open file descriptor for both its outputs. */
export async function start(
  argv: readonly string[],
  log: number,
  env?: NodeJS.ProcessEnv,
): Promise<ChildProcess> {
  const [command, ...args] = argv;
  if (command === undefined) throw new RangeError("expected a command");
  const child = spawn(command, args, {
    stdio: ["pipe", log, log],
    detached: true,
    env: env ?? process.env,
  });
  await once(child, "spawn");
  return child;
}

/** Asks a child to end, and ends it after `graceMs`. */
export async function stop(child: ChildProcess, graceMs = 30_000): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
  await ended;
  clearTimeout(timer);
}

/** What was waited for did not come: the machine is too busy, or something broke. Neither is a verdict. */
export class CannotTell extends Error {}

const noticeMs = 30_000;

/** Asks until the answer is there, and says on stderr that it still waits. @throws CannotTell when patience ends */
export async function waitUntil<T>(
  what: string,
  ask: () => Promise<T | undefined> | T | undefined,
  patience = patienceMs,
): Promise<T> {
  const began = performance.now();
  const formatWaited = (): string => `${Math.round((performance.now() - began) / 1000)} s`;
  const notice = setInterval(() => {
    process.stderr.write(`waiting for ${what}: ${formatWaited()}\n`);
  }, noticeMs);
  try {
    for (;;) {
      const answer = await ask();
      if (answer !== undefined) return answer;
      if (performance.now() - began > patience)
        throw new CannotTell(`${what}: not within ${formatWaited()}`);
      await new Promise((next) => setTimeout(next, 100));
    }
  } finally {
    clearInterval(notice);
  }
}
