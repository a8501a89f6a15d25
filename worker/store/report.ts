/** Reports as stored: one row each, idempotent by (host, n), where n only rises; and what they say ran when. */
import * as z from "zod";
import type { Report } from "#schema/wire.ts";
import type { Sql } from "../ports.ts";
import { runStatements } from "./run.ts";

const Highest = z.array(z.object({ n: z.int() })).length(1);

/**
 * Stores a report unless this host reported this n, or a higher one, before.
 * @returns the highest n now stored
 */
export async function storeReport(sql: Sql, host: string, report: Report, now: number): Promise<number> {
  const body = JSON.stringify(report);
  const results = await sql.batch([
    sql
      .prepare(
        "INSERT INTO report (host, n, received_at, body) SELECT ?1, ?2, ?3, ?4 WHERE NOT EXISTS (SELECT 1 FROM report WHERE host = ?1 AND n >= ?2)",
      )
      .bind(host, report.n, now, body),
    ...runStatements(sql, host, report, body, now),
    sql.prepare("SELECT max(n) AS n FROM report WHERE host = ?1").bind(host),
  ]);
  const [row] = Highest.parse(results.at(-1)?.results);
  return row?.n ?? report.n;
}
