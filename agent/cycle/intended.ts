/**
 * What the kernel should hold now, by the agent's state and the files on disk: the only thing a repair may load.
 * Undefined means that nothing may be repaired: before the first commit, and while an apply is under way, whose own
 * failure paths decide what comes back.
 */
import { existsSync } from "node:fs";
import { type Program, renderClosed } from "#core/render/index.ts";
import type { LoadedGuard } from "#agent/guard/index.ts";
import { Refused } from "#agent/machine/refusal.ts";
import { readCommittedSlot } from "#agent/disk/slots.ts";
import type { State } from "#agent/machine/state.ts";

export interface Places {
  readonly directory: string;
  readonly readGuard: () => LoadedGuard;
  /** A person's mark that this host is closed (`closed`): it is written before the closed ruleset is loaded. */
  readonly holdFile: string;
}

/** Reads a slot once for each commit, and the guard once each time the host closes. */
export function openIntended(places: Places): (state: State) => Program | undefined {
  let slot: { readonly sha256: string; readonly program: Program } | undefined;
  let closed: Program | undefined;

  const readCommitted = (sha256: string): Program | undefined => {
    if (slot?.sha256 === sha256) return slot.program;
    const found = readCommittedSlot(places.directory);
    slot =
      found?.applied.program_sha256 === sha256 ? { sha256, program: found.program } : undefined;
    return slot?.program;
  };
  return (state) => {
    if (state.kind === "unenrolled" || state.kind === "applying") return undefined;
    const held = existsSync(places.holdFile);
    if (held || (state.kind === "closed" && state.by !== "bundle" && state.kernel === "holds")) {
      closed ??= readClosedProgram(places.readGuard);
      return closed;
    }
    closed = undefined;
    if (state.applied === null || state.kernel === "doubtful") return undefined;
    return readCommitted(state.applied.program_sha256);
  };
}

/** An unreadable guard says so at the next poll; until it is mended there is nothing to compare with. */
function readClosedProgram(readGuard: Places["readGuard"]): Program | undefined {
  try {
    return renderClosed(readGuard().guard);
  } catch (error) {
    if (error instanceof Refused) return undefined;
    throw error;
  }
}
