/** Blobs as files named by their hash, in one directory per first two digits. */
import { createHash } from "node:crypto";
import { access, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Blobs } from "../ports.ts";
import { isMissing, writeDurably } from "./files.ts";

export function openBlobs(directory: string): Blobs {
  const path = (sha256: string): string => join(directory, sha256.slice(0, 2), digest(sha256));
  return {
    put: async (sha256, bytes) => {
      if (createHash("sha256").update(bytes).digest("hex") !== sha256)
        throw new Error("a blob's bytes are not those of its name");
      const file = path(sha256);
      if (await exists(file)) return;
      await mkdir(join(directory, sha256.slice(0, 2)), { recursive: true, mode: 0o700 });
      await writeDurably(file, bytes, 0o600);
    },
    get: async (sha256) => {
      try {
        return new Uint8Array(await readFile(path(sha256)));
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    },
  };
}

/** A name that reaches the file system is a digest and nothing else. */
function digest(sha256: string): string {
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw new RangeError("expected a SHA-256 in lower-case hex");
  return sha256;
}

async function exists(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
