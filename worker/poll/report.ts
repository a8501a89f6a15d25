/**
 * What a report means beyond itself. It is one row of the host's own; a rollout moves only where that may matter: on
 * news that changes how the host stands for the worse, or when it waits for nobody else. All else waits for the minute.
 * Two agents under one key are written down once, and told to nobody but people and rollouts: leases go on, as a thief
 * of one key must not close the host.
 */
import type { Report } from "#schema/wire.ts";
import type { Ports } from "#worker/ports/index.ts";
import { Refused } from "#worker/lib/refused.ts";
import { updateEntry, computeNextReportSeconds } from "#core/rollout/index.ts";
import { writeAudited } from "#worker/db/audit.ts";
import { readEvidence, storeReport } from "#worker/reports/index.ts";
import { findIdentity, type Speaker, suspectClone } from "#worker/hosts/index.ts";
import { advance, listOpenEntries } from "#worker/rollouts/index.ts";

export interface Answered {
  /** The highest number stored under the host's key. */
  readonly n: number;
  /** Seconds; null when the usual hour will do. */
  readonly next: number | null;
}

/**
 * @param sha256 of the report as it was sent, lower-case hex; null for one that is no link in a chain
 * @throws Refused `unauthenticated` when the host has another key by now, `bad_request` for a number that no count
 * reaches, `too_many_requests`
 */
export async function takeReport(
  ports: Ports,
  speaker: Speaker,
  report: Report,
  sha256: string | null = null,
): Promise<Answered> {
  const { host } = speaker;
  const { sql, clock, settings } = ports;
  const kept = settings.retention.reports;
  const stored = await storeReport(sql, speaker, report, clock.now(), sha256, kept);
  switch (stored.kind) {
    case "superseded":
      throw new Refused("unauthenticated");
    case "ahead": {
      const message = `expected a number that counts on from ${stored.highest}`;
      throw new Refused("bad_request", { errors: [{ path: "/n", code: "schema", message }] });
    }
    case "too_soon":
      throw new Refused("too_many_requests", {
        headers: { "Retry-After": String(stored.retryAfterSeconds) },
      });
    case "known":
      if (stored.forked) await suspect(ports, host, report.n);
      return { n: stored.n, next: await advanceRollout(ports, host) };
  }
}

/** @returns seconds until the host should report again; null when no rollout decides on it */
async function advanceRollout(ports: Ports, host: string): Promise<number | null> {
  const entries = await listOpenEntries(ports.sql, host);
  if (entries.length === 0) return null;
  const newest = (await readEvidence(ports.sql, [host])).get(host);
  const wishes: number[] = [];
  for (const { rollout, entry, place, awaitsOthers } of entries) {
    const { standing, assignedAt } = updateEntry(entry, newest, place, ports.clock.now());
    const news = standing !== entry.standing || assignedAt !== entry.assignedAt;
    if (news && (standing !== "committed" || !awaitsOthers)) await advance(ports, rollout);
    const wish = computeNextReportSeconds({ ...entry, standing }, place);
    if (wish !== null) wishes.push(wish);
  }
  return wishes.length === 0 ? null : Math.min(...wishes);
}

const suspect = (ports: Ports, host: string, report: number): Promise<void> =>
  writeAudited(ports.sql, async () => {
    const identity = await findIdentity(ports.sql, host);
    if (identity === undefined || identity.suspected_at !== null)
      return { write: false, result: undefined };
    const at = ports.clock.now();
    return {
      write: true,
      entry: {
        at,
        actor: "portcullis",
        on_behalf_of: null,
        action: "host.suspect",
        revision: null,
        body: { host, enrolment: identity.enrolment, report },
      },
      statements: [suspectClone(ports.sql, host, at)],
      result: undefined,
    };
  });
