/** Blobs as files named by their hash, in one directory per first two digits. */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { compareText } from "#schema/order.ts";
import { checkBlobs } from "#worker/ports/blobs.ts";
import type { Blobs } from "#worker/ports/index.ts";
import { isMissing, writeDurably } from "./files.ts";

export function openBlobs(directory: string): Blobs {
  const folder = (sha256: string): string => join(directory, sha256.slice(0, 2));
  const path = (sha256: string): string => join(folder(sha256), sha256);
  return checkBlobs({
    put: async (sha256, bytes) => {
      const found = await read(path(sha256));
      if (found !== undefined && createHash("sha256").update(found).digest("hex") === sha256)
        return;
      await mkdir(folder(sha256), { recursive: true, mode: 0o700 });
      await writeDurably(path(sha256), bytes, 0o600);
    },
    get: (sha256) => read(path(sha256)),
    list: (after, limit) => list(directory, after, limit),
    remove: (sha256) => rm(path(sha256), { force: true }),
  });
}

/** Folders and files are read in the order of their names, and no further than the limit asks. */
async function list(directory: string, after: string, limit: number) {
  const found: { sha256: string; at: number }[] = [];
  for (const folder of await listNames(directory, /^[0-9a-f]{2}$/)) {
    if (found.length >= limit || folder < after.slice(0, 2)) continue;
    for (const sha256 of await listNames(join(directory, folder), /^[0-9a-f]{64}$/)) {
      if (found.length >= limit || sha256 <= after) continue;
      const at = await writtenAt(join(directory, folder, sha256));
      if (at !== undefined) found.push({ sha256, at });
    }
  }
  return found;
}

/** Milliseconds since the Unix epoch; undefined for a file that is gone meanwhile. */
async function writtenAt(file: string): Promise<number | undefined> {
  try {
    return Math.floor((await stat(file)).mtimeMs);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function listNames(directory: string, pattern: RegExp): Promise<readonly string[]> {
  try {
    return (await readdir(directory)).filter((name) => pattern.test(name)).sort(compareText);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

async function read(file: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return new Uint8Array(await readFile(file));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
