/**
 * Files that survive a crash: a reader sees the old content or the new, never a part of one.
 *
 * Write to a new file beside it, fsync, rename, fsync the directory: without the last step the rename itself may be
 * lost (npm/write-file-atomic#64). There is one writer per directory (agent/disk/lock.ts), so temporary names are fixed
 * and a leftover of a crash is simply written again.
 */
import {
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";

const fresh = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** Replaces a file; after it returns the new content survives power loss. Mode 0600. */
export function writeDurable(path: string, content: Uint8Array | string): void {
  const directory = dirname(path);
  const temporary = join(directory, `.${basename(path)}.new`);
  rmSync(temporary, { force: true });
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  const file = openSync(temporary, fresh, 0o600);
  try {
    let written = 0;
    while (written < bytes.length) written += writeSync(file, bytes, written);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  syncDirectory(directory);
}

/** Points the symbolic link `path` at `target` in one step. */
export function linkDurable(path: string, target: string): void {
  const temporary = join(dirname(path), `.${basename(path)}.new`);
  rmSync(temporary, { force: true });
  symlinkSync(target, temporary);
  renameSync(temporary, path);
  syncDirectory(dirname(path));
}

export function removeDurable(path: string): void {
  rmSync(path, { force: true, recursive: true });
  syncDirectory(dirname(path));
}

/** Makes a private directory; one that exists stays as it is. */
export function makeDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
}

/** The file's content, or undefined when there is none. @throws any other error of the file system */
export function readOptional(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (isErrno(error) && (error.code === "ENOENT" || error.code === "ENOTDIR")) return undefined;
    throw error;
  }
}

export function syncDirectory(path: string): void {
  const directory = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

export function isErrno(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "code" in error && typeof error.code === "string";
}
