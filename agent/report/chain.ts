/**
 * The chain of a host's reports: each bears the next number and the digest of the one before it as it was sent, so that
 * two agents with one key contradict each other. Number and digest are kept before the report leaves: no crash sends
 * two reports under one number. Must never stop an agent from reporting: what was lost begins a new chain.
 */
import { join } from "node:path";
import * as z from "zod";
import { Sha256 } from "#schema/primitives.ts";
import type { Report } from "#schema/wire.ts";
import { isErrno, readOptional, writeDurable } from "#agent/disk/files.ts";
import { Refused } from "#agent/machine/refusal.ts";
import { sha256 } from "#agent/disk/digest.ts";

const Last = z.strictObject({ n: z.int().min(0), sha256: Sha256.nullable().default(null) });
type Last = z.infer<typeof Last>;

export interface Link {
  readonly n: number;
  /** The report exactly as it is to be sent. */
  readonly body: string;
}

/** How far a count may be above what this host knows of it: one that is further is no count of ours. */
const aheadMax = 2 ** 20;

/**
 * The highest number that a report of this host can have had: it counts on from what it sent, or, where that was torn,
 * from the clock's seconds. Whoever answers cannot use the numbers up.
 * @param sent the number of this host's last report
 * @param now milliseconds since the Unix epoch
 */
const highest = (sent: number, now: number): number => Math.max(sent, secondsOf(now)) + aheadMax;

/**
 * What the control plane says it has above this host's own count: the count was lost, and goes on there.
 * @throws Refused `response_malformed` for a number that this host cannot have come to
 */
export function requireReachable(claimed: number, sent: number, now: number): void {
  if (claimed > highest(sent, now))
    throw new Refused(
      "response_malformed",
      `the control plane has report ${claimed} of a host that sent ${sent}`,
    );
}

/**
 * Makes a report the next of the chain, as text.
 * @param now milliseconds since the Unix epoch
 * @param above what the control plane has already, where that is more than was kept: the count was lost, and the chain
 * begins anew above it
 * @throws Refused `state_unwritable`
 */
export function linkReport(
  directory: string,
  described: Omit<Report, "n" | "prev">,
  now: number,
  above = 0,
): Link {
  const path = join(directory, "report.json");
  try {
    const text = readOptional(path)?.toString("utf8");
    const last = text === undefined ? unknown : read(text, now);
    const n = Math.max(above, last.n) + 1;
    const prev = above > 0 ? null : last.sha256;
    const body = JSON.stringify({ n, prev, ...described } satisfies Report);
    writeDurable(path, JSON.stringify({ n, sha256: sha256(body) } satisfies Last));
    return { n, body };
  } catch (error) {
    if (isErrno(error)) throw new Refused("state_unwritable", `report number: ${error.code}`);
    throw error;
  }
}

const unknown: Last = { n: 0, sha256: null };
const secondsOf = (now: number): number => Math.floor(now / 1000);

/** What is torn, or higher than this host can have come to, begins anew. */
function read(text: string, now: number): Last {
  try {
    const last = Last.parse(JSON.parse(text));
    if (last.n <= highest(0, now)) return last;
  } catch {
    // torn
  }
  // Numbers only have to rise, so start above any that was used: reports are at least a second apart.
  return { n: secondsOf(now), sha256: null };
}
