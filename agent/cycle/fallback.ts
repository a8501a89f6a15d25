/**
 * What sh can load without this agent: `closed.nft`, rendered from the guard, with its digest beside it. It lies in the
 * state directory and, for boot to find when that is gone, torn or somebody else's, in `fallback` beside the guard
 * file, together with the mark `holds`: this host has committed or was closed, so boot must not leave it open.
 * Kept true to the guard: at join, at every start and whenever the guard changes.
 */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { renderClosed } from "#core/render/index.ts";
import type { Guard } from "#schema/guard.ts";
import type { LoadedGuard } from "#agent/guard/index.ts";
import type { Parts } from "./parts.ts";
import {
  isErrno,
  makeDirectory,
  readOptional,
  removeDurable,
  writeDurable,
} from "#agent/disk/files.ts";
import { fallenFile, holdFile } from "#agent/disk/marks.ts";
import { Refused } from "#agent/machine/refusal.ts";
import { everCommitted, standaloneText } from "#agent/disk/slots.ts";
import { sha256 } from "#agent/disk/digest.ts";

/** The folder beside a guard file. */
export const fallbackOf = (guardPath: string): string => join(dirname(guardPath), "fallback");

const markPathOf = (fallback: string): string => join(fallback, "holds");

/** Writes what differs. The text before its digest: torn in between, neither is believed. @throws Refused `state_unwritable` */
export function keepClosed(folder: string, guard: Guard): void {
  const text = standaloneText(renderClosed(guard));
  const files: readonly (readonly [string, string])[] = [
    ["closed.nft", text],
    ["closed.seal", `${sha256(text)}\n`],
  ];
  writeOrRefuse(folder, () => {
    makeDirectory(folder);
    for (const [name, content] of files) {
      const path = join(folder, name);
      if (readOptional(path)?.toString("utf8") !== content) writeDurable(path, content);
    }
  });
}

/** Marks the fallback of a host that has committed or is closed. Never takes the mark away. @throws Refused `state_unwritable` */
export function keepMark(fallback: string, directory: string): void {
  const holds =
    everCommitted(directory) || [holdFile, fallenFile].some((file) => existsSync(file(directory)));
  if (!holds || existsSync(markPathOf(fallback))) return;
  writeOrRefuse(fallback, () => {
    makeDirectory(fallback);
    writeDurable(markPathOf(fallback), "");
  });
}

/** For a host that boot must leave alone. @throws Refused `state_unwritable` */
export function removeMark(fallback: string): void {
  if (existsSync(markPathOf(fallback)))
    writeOrRefuse(fallback, () => removeDurable(markPathOf(fallback)));
}

function writeOrRefuse(folder: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (isErrno(error)) throw new Refused("state_unwritable", `${folder}: ${error.code}`);
    throw error;
  }
}

/**
 * Keeps the closed rulesets true while the agent runs: whatever could not be written is written again when the guard is
 * read the next time. What lies beside the guard file is a second line: where it cannot be written, that is told once
 * and nothing is refused for it.
 */
export class ClosedKeeper {
  readonly #parts: Pick<Parts, "directory" | "fallback" | "log">;
  /** Digest of the guard that both are made from. */
  #madeFrom = "";
  #logged = "";

  constructor(parts: Pick<Parts, "directory" | "fallback" | "log">) {
    this.#parts = parts;
  }

  /** @throws Refused `state_unwritable` */
  keep({ guard, sha256: digest }: LoadedGuard): void {
    if (this.#madeFrom === digest) return;
    const { directory, fallback } = this.#parts;
    const beside = this.#beside(() => keepClosed(fallback, guard));
    keepClosed(directory, guard);
    if (beside) this.#madeFrom = digest;
  }

  mark(): void {
    this.#beside(() => keepMark(this.#parts.fallback, this.#parts.directory));
  }

  #beside(write: () => void): boolean {
    try {
      write();
      return true;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (this.#logged !== error.message)
        this.#parts.log(
          `should the state directory fail, boot would close without management: ${error.message}`,
        );
      this.#logged = error.message;
      return false;
    }
  }
}
