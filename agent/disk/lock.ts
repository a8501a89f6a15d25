/**
 * One agent per state directory. The lock file names its holder's process and that process's start time, so that a
 * lock left by a crash, or a process number used again, does not keep the next agent out. It guards what is written:
 * where nothing can be written, an agent that finds no other goes on without, as rules need their watch there too.
 */
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { dropBallast } from "./reserve.ts";
import { isErrno, readOptional } from "./files.ts";

export type Lock =
  | { readonly held: true; readonly release: () => void }
  | { readonly held: false; readonly pid: number };

/** Takes the lock of a state directory, or says which process has it. */
export function lock(directory: string): Lock {
  const holder = lockHolder(directory);
  if (holder !== undefined) return { held: false, pid: holder };
  for (const last of [false, true]) {
    try {
      return take(directory);
    } catch (error) {
      if (!isErrno(error) || !unwritable.has(error.code ?? "")) throw error;
      if (!last) dropBallast(directory);
    }
  }
  return { held: true, release: () => undefined };
}

const unwritable: ReadonlySet<string> = new Set(["EROFS", "ENOSPC", "EDQUOT"]);

function take(directory: string): Lock {
  const path = join(directory, "lock");
  const mine = join(directory, `.lock.${process.pid}`);
  writeFileSync(mine, `${process.pid} ${startTime(process.pid) ?? ""}\n`, { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < 3; attempt++) {
      try {
        // link(2) fails when the name exists, and the file is complete from its first moment.
        linkSync(mine, path);
        return { held: true, release: () => rmSync(path, { force: true }) };
      } catch (error) {
        if (!isErrno(error) || error.code !== "EEXIST") throw error;
      }
      const holder = lockHolder(directory);
      if (holder !== undefined) return { held: false, pid: holder };
      renameSync(path, `${mine}.stale`);
      rmSync(`${mine}.stale`, { force: true });
    }
    throw new Error(`cannot take the lock ${path}`);
  } finally {
    rmSync(mine, { force: true });
  }
}

/** The living process that holds the lock, if any. */
export function lockHolder(directory: string): number | undefined {
  const text = readOptional(join(directory, "lock"))?.toString("utf8") ?? "";
  const match = /^(\d{1,10}) (\d{1,20})\n$/.exec(text);
  if (match === null) return undefined;
  const [, pid, started] = match;
  return startTime(Number(pid)) === started ? Number(pid) : undefined;
}

/** Field 22 of /proc/PID/stat (proc(5)); the command in field 2 may hold spaces and parentheses. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}
