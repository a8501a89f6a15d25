/**
 * The only place in the agent that starts a process: an argument array and stdin, never a shell, with a time limit and
 * a cap on output. Nothing that came over the network is ever an argument.
 */
import { spawn } from "node:child_process";

export interface ExecResult {
  /** Exit status; null when a signal ended it. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs `argv` with `input` on stdin. A promise of input starts the program now and feeds it then, which hides the time
 * to start; one that rejects ends the program before it read anything. Rejects when the program cannot be started, runs
 * too long or says too much.
 */
export type Exec = (argv: readonly string[], input: string | Promise<string>) => Promise<ExecResult>;

export interface ExecLimits {
  /** Put before every argv, such as `["ip", "netns", "exec", "gw"]`. */
  readonly prefix: readonly string[];
  readonly timeoutSeconds: number;
  readonly outputBytesMax: number;
}

/** A listing of half a million elements is about 20 MB. */
const defaults: ExecLimits = { prefix: [], timeoutSeconds: 120, outputBytesMax: 128 * 1024 * 1024 };

/**
 * The whole environment of a child: the locale makes error messages the ones we know, and a home that is no folder keeps
 * an interactive nft from writing its history there.
 */
const environment = (): NodeJS.ProcessEnv => ({ PATH: process.env["PATH"], LC_ALL: "C", HOME: "/dev/null" });

/** An `Exec` on this machine. */
export function spawnExec(limits: Partial<ExecLimits> = {}): Exec {
  const { prefix, timeoutSeconds, outputBytesMax } = { ...defaults, ...limits };
  return (argv, input) =>
    new Promise((resolve, reject) => {
      const [file, ...args] = [...prefix, ...argv];
      if (file === undefined) return reject(new RangeError("expected a program to run"));
      const child = spawn(file, args, {
        stdio: ["pipe", "pipe", "pipe"],
        env: environment(),
        timeout: timeoutSeconds * 1000,
        killSignal: "SIGKILL",
      });
      let size = 0;
      const gather = (chunks: Buffer[]) => (chunk: Buffer) => {
        size += chunk.length;
        if (size > outputBytesMax) child.kill("SIGKILL");
        else chunks.push(chunk);
      };
      const stdout: Buffer[] = [];
      const stderr: Buffer[] = [];
      child.stdout.on("data", gather(stdout));
      child.stderr.on("data", gather(stderr));
      child.on("error", reject);
      // EPIPE: the program ended before it read all; its exit status says why.
      child.stdin.on("error", () => undefined);
      child.on("close", (status) => {
        if (size > outputBytesMax)
          return reject(new Error(`${file} wrote more than ${outputBytesMax} bytes`));
        return resolve({
          status,
          stdout: Buffer.concat(stdout).toString("utf8"),
          stderr: Buffer.concat(stderr).toString("utf8"),
        });
      });
      const feed = (text: string): void => void child.stdin.end(text);
      if (typeof input === "string") return feed(input);
      input.then(feed, (reason: unknown) => {
        child.kill("SIGKILL");
        reject(reason instanceof Error ? reason : new Error(String(reason)));
      });
    });
}
