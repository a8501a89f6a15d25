/** The lab as a person starts it: a child process with its own data folder and a port of the kernel's choice. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

const program = (name: string): string => fileURLToPath(new URL(`../../lab/${name}.ts`, import.meta.url));

/** A data folder; whoever makes it removes it. */
export const newData = (): string => mkdtempSync(join(tmpdir(), "portcullis-e2e-"));

/** A data folder for one test, removed when it is over, whatever came of it. */
export function testData(): string {
  const data = newData();
  onTestFinished(() => rmSync(data, { recursive: true, force: true }));
  return data;
}

export interface LabProcess {
  readonly child: ChildProcess;
  stdout(): string;
  stderr(): string;
  /** First match in what was printed so far or will be. @throws Error when the process ends without it */
  says(pattern: RegExp): Promise<RegExpExecArray>;
  /** Exit code; null after a signal. */
  readonly ended: Promise<number | null>;
}

/** Starts it; a lab that still runs when the test is over is asked to end, and removes what it made. */
export function startLab(
  name: "main" | "clean",
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): LabProcess {
  const child = spawn(process.execPath, [program(name), ...args], { stdio: ["ignore", "pipe", "pipe"], env });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
  const ended = new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)));
  onTestFinished(async () => {
    child.kill("SIGTERM");
    await ended;
  });
  const says = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const match = pattern.exec(stdout);
        if (match !== null) resolve(match);
      };
      child.stdout.on("data", look);
      child.once("close", () =>
        reject(new Error(`the lab never said ${String(pattern)}:\n${stdout}${stderr}`)),
      );
      look();
    });
  return { child, ended, says, stdout: () => stdout, stderr: () => stderr };
}

/** Rows of the n-th reachability table: `from>to`, then the packet's verdict in IPv4 and in IPv6. */
export function packetsOf(output: string, table: number): ReadonlyMap<string, readonly string[]> {
  const body = output.split(/^ +from +to +packet v4 .*$/m)[table + 1] ?? "";
  const rows = body.split("\n").flatMap((line): [string, readonly string[]][] => {
    const [from, to, v4, , v6] = line.trim().split(/ +/);
    const verdicts = ["accept", "drop"];
    return verdicts.includes(v4 ?? "") && verdicts.includes(v6 ?? "")
      ? [[`${from}>${to}`, [v4 ?? "", v6 ?? ""]]]
      : [];
  });
  return new Map(rows);
}
