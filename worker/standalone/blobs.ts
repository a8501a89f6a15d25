/** Blobs as files named by their hash, in one directory per first two digits. */
import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { checkedBlobs } from "../blobs.ts";
import type { Blobs } from "../ports.ts";
import { isMissing, writeDurably } from "./files.ts";

export function openBlobs(directory: string): Blobs {
  const folder = (sha256: string): string => join(directory, sha256.slice(0, 2));
  const path = (sha256: string): string => join(folder(sha256), sha256);
  return checkedBlobs({
    put: async (sha256, bytes) => {
      const found = await read(path(sha256));
      if (found !== undefined && createHash("sha256").update(found).digest("hex") === sha256) return;
      await mkdir(folder(sha256), { recursive: true, mode: 0o700 });
      await writeDurably(path(sha256), bytes, 0o600);
    },
    get: (sha256) => read(path(sha256)),
  });
}

async function read(file: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return new Uint8Array(await readFile(file));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
