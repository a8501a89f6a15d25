/** Files that survive a power cut: written beside, flushed, then renamed over; the directory is flushed too. */
import { randomUUID } from "node:crypto";
import { chmod, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Writes a file whole or not at all, with these permissions. */
export async function writeDurably(
  path: string,
  content: string | Uint8Array,
  permissions: number,
): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const file = await open(temporary, "wx", permissions);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await flush(dirname(path));
}

/** As `writeDurably` names what it has not finished. */
const unfinished = /\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tmp$/;

/**
 * Removes what a killed process left unfinished in a directory and its folders. To be called before anything is
 * written there; a writer that loses its file to another process fails and leaves what was there before.
 */
export async function sweepUnfinished(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await sweepUnfinished(path);
    else if (entry.isFile() && unfinished.test(entry.name)) await rm(path, { force: true });
  }
}

async function flush(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Takes a file away from everybody but its owner, where another program left it open. A missing one stays missing. */
export async function keepPrivate(path: string): Promise<void> {
  try {
    if (((await stat(path)).mode & 0o077) !== 0) await chmod(path, 0o600);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

/** Is this what the file system says when a file does not exist? */
export const isMissing = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "ENOENT";
