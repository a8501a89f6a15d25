/**
 * Drizzle over the Sql port, for typed queries. D1 has no interactive transactions: what must be atomic is a list of
 * statements in one `batch`, so writes are built as statements and run by `audited`.
 */
import type { D1Database, D1PreparedStatement } from "@cloudflare/workers-types";
import { drizzle } from "drizzle-orm/d1";
import type { Sql } from "#worker/ports/index.ts";

/** Drizzle calls `prepare` and `batch` only, which is what the port is. */
export const db = (sql: Sql) => drizzle(sql as D1Database);

/** A drizzle query as one statement of a batch. */
export function toStatement(
  sql: Sql,
  query: { toSQL(): { readonly sql: string; readonly params: readonly unknown[] } },
): D1PreparedStatement {
  const { sql: text, params } = query.toSQL();
  return sql.prepare(text).bind(...params);
}

/** Codes that our triggers raise when another writer was first: read again and try again. */
const lostRaces = [
  "stale_parent",
  "audit_chain",
  "stale_repository",
  "repository_exists",
  "root_chain",
  // The row that was to be written is there by now.
  "identity_rewritten",
  "rollout_append_only",
  "approval_append_only",
] as const;
export type LostRace = (typeof lostRaces)[number];

/**
 * The race a failed batch lost, undefined for any other failure. D1 puts SQLite's text into its own message, and
 * drizzle hides it in `cause`.
 */
export function findLostRace(error: unknown): LostRace | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { message } = cause;
    const race = lostRaces.find((code) => message.includes(code));
    if (race !== undefined) return race;
  }
  return undefined;
}
