/** Answers to requests that carried an Idempotency-Key, for a day. A key belongs to the principal that sent it. */
import type { D1PreparedStatement } from "@cloudflare/workers-types";
import { and, eq, gt, lte } from "drizzle-orm";
import { idempotency } from "#schema/tables/index.ts";
import type { Sql } from "../ports.ts";
import { db, statement } from "./db.ts";

/** `response` is the body as it was sent; times in milliseconds since the Unix epoch. */
export type StoredAnswer = Readonly<typeof idempotency.$inferSelect>;

export async function findAnswer(
  sql: Sql,
  principal: string,
  key: string,
  now: number,
): Promise<StoredAnswer | undefined> {
  const own = and(eq(idempotency.principal, principal), eq(idempotency.key, key));
  const [row] = await db(sql)
    .select()
    .from(idempotency)
    .where(and(own, gt(idempotency.expires_at, now)));
  return row;
}

/** Stores an answer over one that expired. Only after `findAnswer` found none in the same attempt. */
export function putAnswer(sql: Sql, row: StoredAnswer): D1PreparedStatement {
  const { principal: _, key: __, ...set } = row;
  const target = [idempotency.principal, idempotency.key];
  return statement(sql, db(sql).insert(idempotency).values(row).onConflictDoUpdate({ target, set }));
}

/** Forgets answers that expired by themselves. */
export async function forgetAnswers(sql: Sql, now: number): Promise<void> {
  await db(sql).delete(idempotency).where(lte(idempotency.expires_at, now));
}
