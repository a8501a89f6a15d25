/**
 * Room kept for bad days: a file that is freed when the disk is full, so that what happened can still be written down
 * and told. Made again when there is room enough without it. What cannot be made or freed changes nothing else.
 */
import { existsSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { isErrno, writeDurable } from "./files.ts";

const bytesMax = 4 * 1024 * 1024;
/** On a small disk no more than this part of it. */
const part = 1 / 32;

const fileOf = (directory: string): string => join(directory, "ballast");

/** Makes it, where it is not there and as much again stays free. */
export function keepBallast(directory: string): void {
  attempt(() => {
    if (existsSync(fileOf(directory))) return;
    const { blocks, bavail, bsize } = statfsSync(directory);
    const bytes = Math.min(bytesMax, Math.floor(blocks * part) * bsize);
    if (bavail * bsize > 2 * bytes) writeDurable(fileOf(directory), Buffer.alloc(bytes));
  });
}

export function dropBallast(directory: string): void {
  attempt(() => rmSync(fileOf(directory), { force: true }));
}

/** A disk that is read-only or gone is told by who had something to write. */
function attempt(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!isErrno(error)) throw error;
  }
}
