/**
 * Reports as stored: one row each, the newest of each host. A host's own number belongs to the key it reports under (its
 * enrolment) and only rises there; `n` is the order in which they came. What they say ran when is written with them; and
 * whether they are one agent's: each names the digest of the one before it, so two agents with one key contradict each
 * other, under the same number or about it. A report that is missing, repeated or late contradicts nothing.
 */
import * as z from "zod";
import type { Report } from "#schema/wire.ts";
import type { Sql } from "#worker/ports/index.ts";
import { defaultRetention } from "#worker/ports/retention.ts";
import type { Speaker } from "#worker/hosts/index.ts";
import { runStatements } from "./run-rows.ts";

export type StoredReport =
  | {
      readonly kind: "known";
      /** The highest number that is now stored of this speaker. */
      readonly n: number;
      /** What is stored was said by another agent than the one that says this. */
      readonly forked: boolean;
    }
  /** Not stored: the host has another key by now. */
  | { readonly kind: "superseded" }
  /** Not stored: no count gets from `highest` to there. */
  | { readonly kind: "ahead"; readonly highest: number }
  /** Not stored: the host said enough for now. */
  | { readonly kind: "too_soon"; readonly retryAfterSeconds: number };

/**
 * How far above the highest number one may be. Room for an agent that lost its count and goes on from the time in
 * seconds (agent/report/chain.ts), and none to use numbers up.
 */
const aheadMax = 2 ** 32;

/** So many reports of a host are taken in this time, milliseconds. An agent says one a poll at most, and most say none. */
const reportsAtOnce = 20;
const reportWindow = 60_000;

const highest = "coalesce((SELECT max(number) FROM report WHERE host = ?1 AND enrolment IS ?2), 0)";
const isCurrent = "?2 IS (SELECT enrolment FROM identity WHERE host = ?1)";
/** When the oldest of the last `reportsAtOnce` came, where that is within the window; a clock set back counts nothing. */
const crowdedSince = `(SELECT received_at
  FROM (SELECT received_at FROM report WHERE host = ?1 ORDER BY n DESC
    LIMIT 1 OFFSET ${reportsAtOnce - 1})
  WHERE received_at > ?4 - ${reportWindow} AND received_at <= ?4)`;

const Facts = z
  .array(z.object({ highest: z.int(), current: z.int(), crowded: z.int().nullable() }))
  .length(1);
const Link = z.array(z.object({ number: z.int(), sha256: z.string().nullable() }));

/**
 * Stores a report unless this speaker reported this number, or a higher one, before.
 * @param sha256 of the body as it was sent, lower-case hex; null for a report that is no link
 * @param kept how many of a host's reports are kept, this one among them
 */
export async function storeReport(
  sql: Sql,
  { host, enrolment }: Speaker,
  report: Report,
  now: number,
  sha256: string | null = null,
  kept = defaultRetention.reports,
): Promise<StoredReport> {
  const body = JSON.stringify(report);
  const { n: number } = report;
  const results = await sql.batch([
    sql
      .prepare(
        `SELECT ${highest} AS highest, ${isCurrent} AS current, ${crowdedSince} AS crowded,
            ?3 AS number`,
      )
      .bind(host, enrolment, number, now),
    sql
      .prepare(
        `INSERT INTO report (host, n, received_at, body, sha256, enrolment, number)
          SELECT ?1, 1 + coalesce((SELECT max(n) FROM report WHERE host = ?1), 0), ?4, ?5, ?6, ?2,
            ?3
          WHERE ${isCurrent}
            AND ?3 > ${highest}
            AND ?3 <= ${highest} + ${aheadMax}
            AND ${crowdedSince} IS NULL`,
      )
      .bind(host, enrolment, number, now, body, sha256),
    ...runStatements(sql, { host, enrolment, number }, body, now),
    sql
      .prepare(`DELETE
        FROM report
        WHERE host = ?1 AND n <= (SELECT max(n) FROM report WHERE host = ?1) - ?2`)
      .bind(host, kept),
    sql
      .prepare(
        `SELECT number, sha256
          FROM report
          WHERE host = ?1 AND enrolment IS ?2 AND number IN (?3 - 1, ?3)`,
      )
      .bind(host, enrolment, number),
  ]);
  const [facts] = Facts.parse(results[0]?.results);
  if (facts === undefined) throw new Error("a statement of one row gave none");
  if (facts.current !== 1) return { kind: "superseded" };
  if (number > facts.highest + aheadMax) return { kind: "ahead", highest: facts.highest };
  if (number > facts.highest && facts.crowded !== null)
    return {
      kind: "too_soon",
      retryAfterSeconds: Math.ceil((facts.crowded + reportWindow - now) / 1000),
    };
  const links = Link.parse(results.at(-1)?.results);
  return {
    kind: "known",
    n: Math.max(number, facts.highest),
    forked: links.some((link) => contradicts(link, report, sha256)),
  };
}

/** Forgets reports from before this time, oldest first; each host's last one stays. */
export async function forgetReports(sql: Sql, before: number, most: number): Promise<void> {
  const old = `SELECT p.host, p.n
      FROM report p INDEXED BY report_received
      WHERE p.received_at < ?1 AND p.n < (SELECT max(n) FROM report WHERE host = p.host)
      ORDER BY p.received_at
      LIMIT ?2`;
  await sql.prepare(`DELETE FROM report WHERE (host, n) IN (${old})`).bind(before, most).run();
}

/** An agent that knows of no report before this one (its state is new, or its count was lost) contradicts nothing. */
function contradicts(
  link: { readonly number: number; readonly sha256: string | null },
  { n, prev = null }: Report,
  sha256: string | null,
): boolean {
  if (prev === null || link.sha256 === null) return false;
  return link.sha256 !== (link.number === n ? sha256 : prev);
}
