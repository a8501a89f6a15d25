/**
 * The memory of the last full check of a rollout that found nothing to do. It decides nothing: it is good only as long
 * as nothing was audited since that could make a difference, and a lost one costs one more check.
 */
import * as z from "zod";
import type { Sql } from "#worker/ports/index.ts";

/** Times in milliseconds since the Unix epoch. */
export interface DueCheck {
  /** Seq of the audit chain's last row before the rollout was read. */
  readonly audit: number;
  /** All reports that were stored by then were heard. */
  readonly lookedAt: number;
  /** Until then time alone changes nothing. */
  readonly quietUntil: number;
}

const Row = z.object({ audit: z.int(), looked_at: z.int(), quiet_until: z.int() });

/** Undefined when there is none that is still good: rollouts or hosts were acted on since. */
export async function readDueCheck(sql: Sql, rollout: number): Promise<DueCheck | undefined> {
  const text = `SELECT l.audit, l.looked_at, l.quiet_until
      FROM rollout_look l
      WHERE l.rollout = ?1
        AND NOT EXISTS (SELECT 1 FROM audit a WHERE a.seq > l.audit
          AND (a.action GLOB 'rollout.*' OR a.action GLOB 'host.*'))`;
  const { results } = await sql.prepare(text).bind(rollout).all();
  const [row] = z.array(Row).parse(results);
  return row && { audit: row.audit, lookedAt: row.looked_at, quietUntil: row.quiet_until };
}

export async function writeDueCheck(sql: Sql, rollout: number, check: DueCheck): Promise<void> {
  const text = `INSERT INTO rollout_look (rollout, audit, looked_at, quiet_until)
      VALUES (?1, ?2, ?3, ?4)
      ON CONFLICT (rollout) DO UPDATE SET audit = ?2, looked_at = ?3, quiet_until = ?4
      WHERE (audit, looked_at, quiet_until) IS NOT (?2, ?3, ?4)`;
  await sql.prepare(text).bind(rollout, check.audit, check.lookedAt, check.quietUntil).run();
}

/** Hosts that a report was stored of, received at `since` or later. */
export async function listReportedSince(sql: Sql, since: number): Promise<readonly string[]> {
  // Left to itself, SQLite reads every report there is, in the order of hosts, to tell them apart.
  const text = `SELECT DISTINCT host FROM report INDEXED BY report_received
      WHERE received_at >= ?1`;
  const { results } = await sql.prepare(text).bind(since).all();
  return z
    .array(z.object({ host: z.string() }))
    .parse(results)
    .map(({ host }) => host);
}
