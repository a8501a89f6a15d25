/**
 * One nft process that takes a file and then lists what the kernel holds. Asked apart, each question waits for nft to
 * end, and closing its netlink socket waits for an RCU grace period, which is longer than loading a small ruleset.
 * An interactive nft (`-i`) answers before that. It reads short lines only, so the file goes by `include`.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { table } from "#core/render/nft/program.ts";
import type { Exec } from "#agent/process/spawn.ts";

/** `load` commits the file; `check` has the kernel validate it and throw it away. */
export type Purpose = "load" | "check";
/**
 * `full` is our own table with every element. `terse` is the rules and objects of every table without elements, and then
 * a listing costs the same at any size. Elements of others are never asked for: nft 1.0.6 takes ten seconds and 325 MB
 * for half a million. It reads our own for `list table` whether or not it prints them, so `terse` lists all tables.
 */
export type Detail = "terse" | "full";

export const questions: Readonly<Record<Detail, readonly string[]>> = {
  terse: ["list", "ruleset"],
  full: ["list", "table", table.family, table.name],
};

export interface Answer {
  /** nft's first error, if it had one. */
  readonly error: string | undefined;
  /** JSON of the listing afterwards; something else where nft could not list. */
  readonly listing: string;
}

export const flags = { load: [], check: ["-c"], terse: ["-t"], full: [] } as const;

/**
 * @returns undefined where no file can be written, on a full disk for one: ask apart then
 * @throws what `exec` throws
 */
export async function loadAndList(
  exec: Exec,
  path: string,
  text: string,
  purpose: Purpose,
  detail: Detail,
): Promise<Answer | undefined> {
  const folder = stage(text);
  if (folder === undefined) return undefined;
  try {
    const argv = [path, ...flags[purpose], ...flags[detail], "-j", "-i"];
    const input = `include "${join(folder, fileName)}"\n${questions[detail].join(" ")}\n`;
    const { stdout, stderr } = await exec(argv, input, "line");
    return { error: findFirstError(stderr), listing: stdout };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const fileName = "program.nft";

/** A folder of our own that nobody else may read, with the text in it. */
function stage(text: string): string | undefined {
  let folder: string | undefined;
  try {
    folder = mkdtempSync(join(tmpdir(), "portcullis-"));
    if (!/^[A-Za-z0-9_./-]+$/.test(folder)) throw new RangeError("nft has no escape for this path");
    writeFileSync(join(folder, fileName), text, { mode: 0o600 });
    return folder;
  } catch {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    return undefined;
  }
}

/** The line of nft's output that says what is wrong, without where the file lay. */
export function findFirstError(stderr: string): string | undefined {
  const line = stderr.split("\n").find((text) => text.includes("Error:"));
  return line?.replace(/^.*?(?=\d+:\d+-\d+: Error:)/, "");
}
