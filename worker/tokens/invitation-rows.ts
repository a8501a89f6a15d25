/**
 * Invitations as stored, by the hash of their one-time token; and whether a host is declared, because only such may
 * enrol. One is open until it is used, ended or over; a host has one open at most.
 */
import type { D1PreparedStatement } from "@cloudflare/workers-types";
import { and, asc, eq, gt, inArray, isNull } from "drizzle-orm";
import { enrolment, intent } from "#worker/db/tables/index.ts";
import type { Sql } from "#worker/ports/index.ts";
import { db, toStatement } from "#worker/db/drizzle.ts";
import { inList } from "#worker/db/lists.ts";

/** Times in milliseconds since the Unix epoch; `used_at` is null until the one use, `ended_at` unless it was taken back. */
export type Enrolment = Readonly<typeof enrolment.$inferSelect>;

export async function findEnrolment(sql: Sql, sha256: string): Promise<Enrolment | undefined> {
  const [row] = await db(sql).select().from(enrolment).where(eq(enrolment.sha256, sha256));
  return row;
}

export async function readEnrolmentById(sql: Sql, id: string): Promise<Enrolment | undefined> {
  const [row] = await db(sql).select().from(enrolment).where(eq(enrolment.id, id));
  return row;
}

const neitherUsedNorEnded = and(isNull(enrolment.used_at), isNull(enrolment.ended_at));

/** Open invitations by host, from the one after `after`. */
export const listOpen = (
  sql: Sql,
  now: number,
  limit: number,
  after = "",
): Promise<readonly Enrolment[]> =>
  db(sql)
    .select()
    .from(enrolment)
    .where(and(neitherUsedNorEnded, gt(enrolment.expires_at, now), gt(enrolment.host, after)))
    .orderBy(asc(enrolment.host))
    .limit(limit);

/** Ids of a host's open invitations. */
export async function openOf(sql: Sql, host: string, now: number): Promise<readonly string[]> {
  const rows = await db(sql)
    .select({ id: enrolment.id })
    .from(enrolment)
    .where(and(neitherUsedNorEnded, eq(enrolment.host, host), gt(enrolment.expires_at, now)));
  return rows.map(({ id }) => id);
}

export const insertEnrolment = (sql: Sql, row: Enrolment): D1PreparedStatement =>
  toStatement(sql, db(sql).insert(enrolment).values(row));

/** Uses the token up: changes one row once, and none when it was used, ended or is over. */
export const claimEnrolment = (sql: Sql, id: string, at: number): D1PreparedStatement =>
  toStatement(
    sql,
    db(sql)
      .update(enrolment)
      .set({ used_at: at })
      .where(and(eq(enrolment.id, id), neitherUsedNorEnded, gt(enrolment.expires_at, at))),
  );

/** Takes one back; nothing when it was used or ended before. */
export const endEnrolment = (sql: Sql, id: string, at: number): D1PreparedStatement =>
  toStatement(
    sql,
    db(sql)
      .update(enrolment)
      .set({ ended_at: at })
      .where(and(eq(enrolment.id, id), neitherUsedNorEnded)),
  );

/** Takes back all of a host, those over too. In a batch that makes or uses one it stands before or after that one. */
export const endAllOf = (sql: Sql, host: string, at: number): D1PreparedStatement =>
  toStatement(
    sql,
    db(sql)
      .update(enrolment)
      .set({ ended_at: at })
      .where(and(eq(enrolment.host, host), neitherUsedNorEnded)),
  );

/** Takes back what these principals made. */
export const endAllBy = (
  sql: Sql,
  principals: readonly string[],
  at: number,
): D1PreparedStatement =>
  toStatement(
    sql,
    db(sql)
      .update(enrolment)
      .set({ ended_at: at })
      .where(and(inArray(enrolment.created_by, inList(principals)), neitherUsedNorEnded)),
  );

/** Does intent declare this host now? */
export async function isDeclaredHost(sql: Sql, host: string): Promise<boolean> {
  const rows = await db(sql)
    .select({ id: intent.id })
    .from(intent)
    .where(and(eq(intent.kind, "host"), eq(intent.key, host), isNull(intent.to_revision)));
  return rows.length > 0;
}
