/** Answers to requests that carried an Idempotency-Key, for a day. A key belongs to the principal that sent it. */
import type { D1PreparedStatement } from "@cloudflare/workers-types";
import { and, eq, gt, lte } from "drizzle-orm";
import * as z from "zod";
import { Sha256 } from "#schema/primitives.ts";
import { idempotency } from "./tables/index.ts";
import { hashSha256 } from "#worker/lib/encoding.ts";
import type { Sql } from "#worker/ports/index.ts";
import { db, toStatement } from "./drizzle.ts";

/**
 * `response` is the body as it was sent, where `kept` is 1; else what is known of it (`Digested`). Times in milliseconds
 * since the Unix epoch.
 */
export type StoredAnswer = Readonly<typeof idempotency.$inferSelect>;

/** Largest answer that is kept, in bytes; a row of D1 holds two million. */
const answerBytesMax = 256 * 1024;

/** Of an answer that was too large: what it was, and the path where the same can be read. */
const Digested = z.strictObject({ sha256: Sha256, bytes: z.int().min(1), see: z.string() });

/** An answer as it is kept, whole or as its digest. */
export async function readKeptAnswer(
  response: string,
  see: string,
): Promise<Pick<StoredAnswer, "response" | "kept">> {
  const bytes = new TextEncoder().encode(response).length;
  if (bytes <= answerBytesMax) return { response, kept: 1 };
  const digested: z.infer<typeof Digested> = { sha256: await hashSha256(response), bytes, see };
  return { response: JSON.stringify(digested), kept: 0 };
}

/** Where to look for an answer that was not kept. */
export const seeOf = (answer: StoredAnswer): string =>
  Digested.parse(JSON.parse(answer.response)).see;

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
  return toStatement(
    sql,
    db(sql).insert(idempotency).values(row).onConflictDoUpdate({ target, set }),
  );
}

/** Forgets answers that expired by themselves. */
export async function forgetAnswers(sql: Sql, now: number): Promise<void> {
  await db(sql).delete(idempotency).where(lte(idempotency.expires_at, now));
}
