/**
 * Marks in the state directory that outlive this process and that the boot script reads too: a person closed this host
 * (`closed`), or the host closed itself (`fallen`). Either way it must not boot into what it no longer trusts.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { isErrno, removeDurable, writeDurable } from "./files.ts";
import { Refused } from "#agent/machine/refusal.ts";

/** A person closed this host; the file stays until `closed --lift`. */
export const holdFile = (directory: string): string => join(directory, "closed");
/** This host closed itself; the file goes with the next commit or restore. */
export const fallenFile = (directory: string): string => join(directory, "fallen");

/** @throws Refused `state_unwritable` */
export function mark(directory: string, posture: "fallen" | "standing"): void {
  const path = fallenFile(directory);
  try {
    if (posture === "standing") {
      if (existsSync(path)) removeDurable(path);
    } else if (!existsSync(path)) writeDurable(path, "");
  } catch (error) {
    if (isErrno(error)) throw new Refused("state_unwritable", `fallen: ${error.code}`);
    throw error;
  }
}
