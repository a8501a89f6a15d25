/**
 * Reports as stored: one row each, idempotent by (host, n), where n only rises; what they say ran when; and whether they
 * are one agent's. Each names the digest of the one before it, so two agents with one key contradict each other: under
 * the same number, or about it. A report that is missing, repeated or late contradicts nothing.
 */
import * as z from "zod";
import type { Report } from "#schema/wire.ts";
import type { Sql } from "../ports.ts";
import { runStatements } from "./run.ts";

const Highest = z.array(z.object({ n: z.int() })).length(1);
const Link = z.array(z.object({ n: z.int(), sha256: z.string().nullable() }));

export interface StoredReport {
  /** The highest now stored. */
  readonly n: number;
  /** What is stored was said by another agent than the one that says this. */
  readonly forked: boolean;
}

/**
 * Stores a report unless this host reported this n, or a higher one, before.
 * @param sha256 of the body as it was sent, lower-case hex; null for a report that is no link
 */
export async function storeReport(
  sql: Sql,
  host: string,
  report: Report,
  now: number,
  sha256: string | null = null,
): Promise<StoredReport> {
  const body = JSON.stringify(report);
  const results = await sql.batch([
    sql
      .prepare(
        "INSERT INTO report (host, n, received_at, body, sha256) SELECT ?1, ?2, ?3, ?4, ?5 WHERE NOT EXISTS (SELECT 1 FROM report WHERE host = ?1 AND n >= ?2)",
      )
      .bind(host, report.n, now, body, sha256),
    ...runStatements(sql, host, report, body, now),
    sql.prepare("SELECT n, sha256 FROM report WHERE host = ?1 AND n IN (?2 - 1, ?2)").bind(host, report.n),
    sql.prepare("SELECT max(n) AS n FROM report WHERE host = ?1").bind(host),
  ]);
  const [row] = Highest.parse(results.at(-1)?.results);
  const links = Link.parse(results.at(-2)?.results);
  return { n: row?.n ?? report.n, forked: links.some((link) => contradicts(link, report, sha256)) };
}

/** An agent that knows of no report before this one (its state is new, or its count was lost) contradicts nothing. */
function contradicts(
  link: { readonly n: number; readonly sha256: string | null },
  { n, prev = null }: Report,
  sha256: string | null,
): boolean {
  if (prev === null || link.sha256 === null) return false;
  return link.sha256 !== (link.n === n ? sha256 : prev);
}
