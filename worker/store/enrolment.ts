/** One-time enrolment tokens as stored, by hash; and whether a host is declared, because only such may enrol. */
import type { D1PreparedStatement } from "@cloudflare/workers-types";
import { and, eq, gt, isNull } from "drizzle-orm";
import { enrolment, intent } from "#schema/tables/index.ts";
import type { Sql } from "../ports.ts";
import { db, statement } from "./db.ts";

/** Times in milliseconds since the Unix epoch; `used_at` is null until the one use. */
export type Enrolment = Readonly<typeof enrolment.$inferSelect>;

export async function findEnrolment(sql: Sql, sha256: string): Promise<Enrolment | undefined> {
  const [row] = await db(sql).select().from(enrolment).where(eq(enrolment.sha256, sha256));
  return row;
}

export const insertEnrolment = (sql: Sql, row: Enrolment): D1PreparedStatement =>
  statement(sql, db(sql).insert(enrolment).values(row));

/** Uses the token up: changes one row once, and none when it was used or is over. */
export const claimEnrolment = (sql: Sql, id: string, at: number): D1PreparedStatement =>
  statement(
    sql,
    db(sql)
      .update(enrolment)
      .set({ used_at: at })
      .where(and(eq(enrolment.id, id), isNull(enrolment.used_at), gt(enrolment.expires_at, at))),
  );

/** Does intent declare this host now? */
export async function isDeclaredHost(sql: Sql, host: string): Promise<boolean> {
  const rows = await db(sql)
    .select({ id: intent.id })
    .from(intent)
    .where(and(eq(intent.kind, "host"), eq(intent.key, host), isNull(intent.to_revision)));
  return rows.length > 0;
}
