/**
 * The chain of a host's reports: each bears the next number and the digest of the one before it as it was sent, so that
 * two agents with one key contradict each other. Number and digest are kept before the report leaves: no crash sends
 * two reports under one number. Must never stop an agent from reporting: what was lost begins a new chain.
 */
import { join } from "node:path";
import * as z from "zod";
import { Sha256 } from "#schema/primitives.ts";
import type { Report } from "#schema/wire.ts";
import { isErrno, readOptional, writeDurable } from "./persist.ts";
import { Refused } from "./refusal.ts";
import { sha256 } from "./trust/keys.ts";

const Last = z.strictObject({ n: z.int().min(0), sha256: Sha256.nullable().default(null) });
type Last = z.infer<typeof Last>;

export interface Link {
  readonly n: number;
  /** The report exactly as it is to be sent. */
  readonly body: string;
}

/**
 * Makes a report the next of the chain, as text.
 * @param above what the control plane has already, where that is more than was kept: the count was lost, and the chain
 * begins anew above it
 * @throws Refused `state_unwritable`
 */
export function linkReport(directory: string, described: Omit<Report, "n" | "prev">, above = 0): Link {
  const path = join(directory, "report.json");
  try {
    const text = readOptional(path)?.toString("utf8");
    const last = text === undefined ? unknown : read(text);
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

function read(text: string): Last {
  try {
    return Last.parse(JSON.parse(text));
  } catch {
    // Torn. Numbers only have to rise, so start above any that was used: reports are at least a second apart.
    return { n: Math.floor(Date.now() / 1000), sha256: null };
  }
}
