/**
 * One nft process that takes a file and then lists what the kernel holds. Asked apart, each question waits for nft to
 * end, and closing its netlink socket waits for an RCU grace period, which is longer than loading a small ruleset.
 * An interactive nft (`-i`) answers before that. It reads short lines only, so the file goes by `include`.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Exec } from "./spawn.ts";

/** `load` commits the file; `check` has the kernel validate it and throw it away. */
export type Purpose = "load" | "check";
/** `terse` leaves out elements, and then a listing costs the same at any size. */
export type Detail = "terse" | "full";

export interface Answer {
  /** nft's first error, if it had one. */
  readonly error: string | undefined;
  /** JSON of `list ruleset` afterwards. */
  readonly listing: string;
}

const flags = { load: [], check: ["-c"], terse: ["-t"], full: [] } as const;

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
    const input = `include "${join(folder, fileName)}"\nlist ruleset\n`;
    const { stdout, stderr } = await exec(argv, input, "line");
    return { error: firstError(stderr), listing: stdout };
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
export function firstError(stderr: string): string | undefined {
  const line = stderr.split("\n").find((text) => text.includes("Error:"));
  return line?.replace(/^.*?(?=\d+:\d+-\d+: Error:)/, "");
}
