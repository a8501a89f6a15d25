/** The command line in this process: what it printed and how it ended, without a terminal and with nothing hidden. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { main } from "#cli/main.ts";

export interface Ended {
  readonly code: number;
  readonly lines: readonly string[];
  readonly errors: readonly string[];
}

export interface Surroundings {
  readonly env?: Readonly<Record<string, string>>;
  /** The answer of the person at the terminal; nobody is there without it. */
  readonly answer?: boolean;
  readonly colours?: boolean;
  /** Where a terminal's frames go; there is no terminal without it. */
  readonly frames?: (readonly string[])[];
  readonly wait?: (milliseconds: number) => Promise<void>;
}

/** Runs one command line to its end. */
export async function runCli(args: readonly string[], around: Surroundings = {}): Promise<Ended> {
  const lines: string[] = [];
  const errors: string[] = [];
  const { answer } = around;
  const code = await main(args, {
    env: around.env ?? {},
    now: () => Date.now(),
    wait: around.wait ?? ((milliseconds) => setTimeout(milliseconds)),
    output: {
      colours: around.colours ?? false,
      line: (text) => void lines.push(text),
      error: (text) => void errors.push(text),
      redraw: around.frames === undefined ? undefined : (frame) => void around.frames?.push(frame),
      confirm: answer === undefined ? undefined : () => Promise.resolve(answer),
    },
  });
  return { code, lines, errors };
}

export interface Folder {
  readonly path: string;
  remove(): void;
}

/** A directory with these files, by their path in it. */
export function folderOf(files: Readonly<Record<string, string | Buffer>>): Folder {
  const path = mkdtempSync(join(tmpdir(), "portcullis-cli-"));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), content);
  }
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
