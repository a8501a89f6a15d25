/**
 * From one root to the next (TUF specification §5.3). Decides what may follow what, the same for whoever makes a root,
 * stores it, or follows it.
 */
import type { RootRefusalCode } from "#schema/refusals.ts";
import type { ClaimCheck } from "./claims.ts";
import { readRoot, type RootDraft, type RootFile } from "./read.ts";
import { Refused } from "../refused.ts";
import { signersOf } from "./signers.ts";
import { farFault, overFault } from "./times.ts";

export interface RootFault {
  readonly code: RootRefusalCode;
  readonly message: string;
}

/**
 * Why `next` may not follow `current` (undefined: nothing is in force yet), whatever the time: its version is not the
 * next, or a threshold of its own root keys or of its predecessor's is missing. Empty when it may.
 */
function* findSuccessionFaults(
  current: RootDraft | undefined,
  next: RootDraft,
): ClaimCheck<readonly RootFault[]> {
  const expected = (current?.signed.version ?? 0) + 1;
  const { version } = next.signed;
  const faults: RootFault[] = [];
  if (version !== expected)
    faults.push({
      code: "root_version",
      message: `it is version ${version}, and version ${expected} is next`,
    });
  for (const authority of current === undefined ? [next] : [current, next]) {
    const { keyids, threshold } = authority.signed.roles.root;
    const signers = yield* signersOf(next, authority.signed, "root");
    if (signers.length >= threshold) continue;
    const missing = keyids.filter((id) => !signers.includes(id)).map((id) => id.slice(0, 16));
    faults.push({
      code: "root_threshold",
      message:
        `signed by ${signers.length} of the root keys of version ${authority.signed.version}, ` +
        `${threshold} are needed; not by ${missing.join(", ")}`,
    });
  }
  return faults;
}

/** The same, and why not now: it is over, or good for longer than any root. @param now milliseconds since the Unix epoch */
export function* findCandidateFaults(
  current: RootDraft | undefined,
  next: RootDraft,
  now: number,
): ClaimCheck<readonly RootFault[]> {
  const faults = yield* findSuccessionFaults(current, next);
  const times = [
    { code: "root_expired", message: overFault("root", next.signed, now) },
    { code: "root_time_far", message: farFault("root", next.signed, now) },
  ] as const;
  return [
    ...faults,
    ...times.flatMap(({ code, message }) => (message === undefined ? [] : [{ code, message }])),
  ];
}

export interface Followed {
  /** The newest root that verified: kept even when a later one, or anything after it, is refused (TUF §5.3). */
  readonly root: RootFile;
  /** Its exact bytes; undefined when it is the one that was trusted before. */
  readonly bytes: Uint8Array | undefined;
  readonly refusal: Refused | undefined;
}

/** Follows a chain of roots, each signed by its predecessor's threshold and its own (TUF §5.3.4). */
export function* followRoots(
  trusted: RootFile,
  successors: readonly Uint8Array[],
): ClaimCheck<Followed> {
  let root = trusted;
  let reached: Uint8Array | undefined;
  for (const bytes of successors) {
    try {
      const next = readRoot(bytes);
      const [fault] = yield* findSuccessionFaults(root, next);
      if (fault !== undefined)
        throw new Refused(
          "root_invalid",
          `the root after ${root.signed.version}: ${fault.message}`,
        );
      root = next;
      reached = bytes;
    } catch (error) {
      if (error instanceof Refused) return { root, bytes: reached, refusal: error };
      throw error;
    }
  }
  return { root, bytes: reached, refusal: undefined };
}
