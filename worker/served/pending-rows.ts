/** Targets that wait for operators' signatures: one row a host at most. Written only in batches that end in an audit row. */
import type { D1PreparedStatement } from "@cloudflare/workers-types";
import { asc, eq, gt, inArray, sql as raw } from "drizzle-orm";
import { pending, repository } from "#worker/db/tables/index.ts";
import type { Root } from "#schema/tuf.ts";
import type { Sql } from "#worker/ports/index.ts";
import type { Pending, Repository } from "#worker/signing/index.ts";
import { db, toStatement } from "#worker/db/drizzle.ts";
import { inList } from "#worker/db/lists.ts";

export async function readPending(sql: Sql, host: string): Promise<Pending | undefined> {
  const [row] = await db(sql).select().from(pending).where(eq(pending.host, host));
  return row;
}

/** What waits for these hosts, by host. */
export async function readPendings(
  sql: Sql,
  hosts: readonly string[],
): Promise<ReadonlyMap<string, Pending>> {
  const rows = await db(sql)
    .select()
    .from(pending)
    .where(inArray(pending.host, inList(hosts)));
  return new Map(rows.map((row) => [row.host, row]));
}

/** What waits, by host, after one. */
export const listPending = (sql: Sql, after: string, limit: number): Promise<readonly Pending[]> =>
  db(sql)
    .select()
    .from(pending)
    .where(gt(pending.host, after))
    .orderBy(asc(pending.host))
    .limit(limit);

/** Puts what is to be signed in the place of what waited before. */
export function proposeStatement(sql: Sql, row: Pending): D1PreparedStatement {
  const insert = db(sql).insert(pending).values(row);
  return toStatement(sql, insert.onConflictDoUpdate({ target: pending.host, set: row }));
}

/** @param row with the signatures that were taken; another seq is not touched */
export const signaturesStatement = (
  sql: Sql,
  { host, seq, signatures }: Pending,
): D1PreparedStatement =>
  sql
    .prepare(`UPDATE pending SET signatures = ?3 WHERE host = ?1 AND seq = ?2`)
    .bind(host, seq, signatures);

/** Of hosts that were just published, in the same batch and after that. */
export const publishedStatement = (sql: Sql, hosts: readonly string[]): D1PreparedStatement =>
  toStatement(
    sql,
    db(sql)
      .delete(pending)
      .where(inArray(pending.host, inList(hosts))),
  );

/**
 * Repositories for which nothing waits, and whose targets expire before `at` or carry fewer signatures than `root` asks
 * for. Key ids are looked for in the text: as digests they stand nowhere but in signatures.
 */
export async function readUnsignedTargets(
  sql: Sql,
  root: Root,
  at: number,
  limit: number,
): Promise<readonly Repository[]> {
  const { keyids, threshold } = root.roles.targets;
  const signed = raw`(SELECT count(*)
    FROM json_each(${JSON.stringify(keyids)})
    WHERE instr(${repository.targets}, value) > 0)`;
  const waits = raw`EXISTS (SELECT 1 FROM pending WHERE pending.host = ${repository.host})`;
  return db(sql)
    .select()
    .from(repository)
    .where(
      raw`NOT ${waits} AND (${repository.targets_expires_at} < ${at} OR ${signed} < ${threshold})`,
    )
    .orderBy(asc(repository.host))
    .limit(limit);
}
