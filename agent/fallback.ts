/**
 * What sh can load without this agent: `closed.nft`, rendered from the guard, with its digest beside it, and the scripts
 * that load it or a committed slot. Kept true to the guard: at join, at every start and whenever the guard changes.
 */
import { join } from "node:path";
import { renderClosed } from "#render/index.ts";
import type { Guard } from "#schema/guard.ts";
import { restoreScript, watchdogScript } from "./apply/scripts.ts";
import { isErrno, makeDirectory, readOptional, writeDurable } from "./persist.ts";
import { Refused } from "./refusal.ts";
import { standaloneText } from "./slots.ts";
import { sha256 } from "./trust/keys.ts";

/** Writes what differs. The text before its digest: torn in between, neither is believed. @throws Refused `state_unwritable` */
export function keepFallback(directory: string, guard: Guard): void {
  const text = standaloneText(renderClosed(guard));
  const files: readonly (readonly [string, string])[] = [
    ["restore.sh", restoreScript],
    ["watchdog.sh", watchdogScript],
    ["closed.nft", text],
    ["closed.seal", `${sha256(text)}\n`],
  ];
  try {
    makeDirectory(directory);
    for (const [name, content] of files) {
      const path = join(directory, name);
      if (readOptional(path)?.toString("utf8") !== content) writeDurable(path, content);
    }
  } catch (error) {
    if (isErrno(error)) throw new Refused("state_unwritable", `closed.nft: ${error.code}`);
    throw error;
  }
}
