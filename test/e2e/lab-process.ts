/** The lab as a person starts it: a child process with its own data folder and a port of the kernel's choice. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

const program = (name: string): string =>
  fileURLToPath(new URL(`../../lab/${name}.ts`, import.meta.url));

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
  const child = spawn(process.execPath, [program(name), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env,
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
  const ended = new Promise<number | null>((resolve) =>
    child.once("close", (code) => resolve(code)),
  );
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

/** What one reachability table says: `from > to asked` of all that packets reach, by the mark at the line's start. */
export interface PrintedTable {
  /** All lines of a full table; what a later one adds. */
  readonly open: ReadonlySet<string>;
  readonly gone: ReadonlySet<string>;
}

const families = "(v4 v6|v4|v6|none)";
const tableRow = new RegExp(
  `^([ +-]) (\\S+) +(\\S.*?) {2,}(\\S.*?) {2,}${families} +${families} +\\S`,
);

/** The n-th reachability table of the story. A line that only one family or only `simulate` reaches is marked so. */
export function tableOf(output: string, table: number): PrintedTable {
  const body = output.split(/^ +to +open +from +packets +simulate .*$/m)[table + 1] ?? "";
  const [end = ""] = body.split(/^ {2}of \d+ probes/m);
  const read = (mark: string): ReadonlySet<string> =>
    new Set(
      end.split("\n").flatMap((line) => {
        const [, found, to = "", asked = "", from = "", packets = "", simulated = ""] =
          tableRow.exec(line) ?? [];
        const partial =
          packets === "v4 v6" && simulated === packets ? "" : ` (${packets}, ${simulated})`;
        const asks = asked
          .split(" ")
          .flatMap((ask) => from.split(" ").map((name) => `${name} > ${to} ${ask}`));
        return found === mark ? asks.map((text) => `${text}${partial}`) : [];
      }),
    );
  return { open: new Set([...read(" "), ...read("+")]), gone: read("-") };
}
