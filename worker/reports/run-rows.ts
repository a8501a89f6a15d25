/**
 * Which bundle ran on a host from when to when, as its own reports said. A row opens when what runs, its guard or the
 * agent's state changes, and closes the one before, in the report's own batch: a report that is not stored, because it
 * came late or twice, changes nothing here either.
 */
import type { D1PreparedStatement } from "@cloudflare/workers-types";
import { and, desc, eq, gt, isNull, lt, lte, or } from "drizzle-orm";
import { run } from "#worker/db/tables/index.ts";
import type { Sql } from "#worker/ports/index.ts";
import { db } from "#worker/db/drizzle.ts";
import type { Speaker } from "#worker/hosts/index.ts";

/** This very report is the last that is stored: one that came late or twice changes nothing. */
const stored = `EXISTS (SELECT 1 FROM report
      WHERE host = ?1 AND enrolment IS ?5 AND number = ?2 AND body = ?3
        AND n = (SELECT max(n) FROM report WHERE host = ?1))`;
/** When it says it was, but never in the future, and never before what is known already. */
const at = `max(min(CAST(unixepoch(?3 ->> '$.at', 'subsec') * 1000 AS INTEGER), ?4),
      coalesce((SELECT coalesce(to_at, from_at) FROM run WHERE host = ?1
        ORDER BY from_at DESC, report DESC LIMIT 1), 0))`;
const said = `?3 ->> '$.state', ?3 ->> '$.applied.seq', ?3 ->> '$.applied.revision',
      ?3 ->> '$.applied.bundle_sha256', ?3 ->> '$.applied.program_sha256', ?3 ->> '$.guard_sha256'`;

/** To follow the statement that stores the report. @param body the report as it is stored */
export const runStatements = (
  sql: Sql,
  { host, enrolment, number }: Speaker & { readonly number: number },
  body: string,
  now: number,
): readonly D1PreparedStatement[] => [
  sql
    .prepare(
      `UPDATE run
        SET to_at = ${at}
        WHERE host = ?1
          AND to_at IS NULL
          AND ${stored}
          AND (state, seq, revision, bundle_sha256, program_sha256, guard_sha256) IS NOT (${said})`,
    )
    .bind(host, number, body, now, enrolment),
  sql
    .prepare(
      `INSERT INTO run (host, from_at, to_at, state, seq, revision, bundle_sha256,
          program_sha256, guard_sha256, report)
        SELECT ?1, ${at}, NULL, ${said}, (SELECT max(n) FROM report WHERE host = ?1)
        WHERE ${stored} AND NOT EXISTS (SELECT 1 FROM run WHERE host = ?1 AND to_at IS NULL)`,
    )
    .bind(host, number, body, now, enrolment),
];

/** Times in milliseconds since the Unix epoch; `to_at` is null for what runs now. */
export type RunRow = typeof run.$inferSelect;

export interface RunPage {
  /** Only rows that began before this one, by time, then report. */
  readonly before: { readonly from_at: number; readonly report: number } | undefined;
  /** Only what ran at this time. */
  readonly at: number | undefined;
  readonly limit: number;
}

/** Newest first. */
export async function listRuns(sql: Sql, host: string, page: RunPage): Promise<readonly RunRow[]> {
  const { before, at: time } = page;
  const older =
    before === undefined
      ? undefined
      : or(
          lt(run.from_at, before.from_at),
          and(eq(run.from_at, before.from_at), lt(run.report, before.report)),
        );
  const then =
    time === undefined
      ? undefined
      : and(lte(run.from_at, time), or(isNull(run.to_at), gt(run.to_at, time)));
  return db(sql)
    .select()
    .from(run)
    .where(and(eq(run.host, host), older, then))
    .orderBy(desc(run.from_at), desc(run.report))
    .limit(page.limit);
}
