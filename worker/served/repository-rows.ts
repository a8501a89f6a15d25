/**
 * A host's repository as it is served, and its renewal. A renewal is a compare-and-swap on the timestamp version that
 * it was signed over: a publish or another renewal in between makes it change nothing, never undo anything.
 */
import { and, asc, eq, lt } from "drizzle-orm";
import { publication, repository } from "#worker/db/tables/index.ts";
import type { Sql } from "#worker/ports/index.ts";
import type { Repository } from "#worker/signing/index.ts";
import { db } from "#worker/db/drizzle.ts";

export async function readRepository(sql: Sql, host: string): Promise<Repository | undefined> {
  const [row] = await db(sql).select().from(repository).where(eq(repository.host, host));
  return row;
}

/** Was this bundle ever published to this host? */
export async function wasPublished(sql: Sql, host: string, bundleSha256: string): Promise<boolean> {
  const rows = await db(sql)
    .select({ seq: publication.seq })
    .from(publication)
    .where(and(eq(publication.host, host), eq(publication.bundle_sha256, bundleSha256)))
    .limit(1);
  return rows.length > 0;
}

/** @returns false when the repository is no longer `previous`; nothing was written then */
export async function storeRenewal(
  sql: Sql,
  previous: Repository,
  next: Repository,
  now: number,
): Promise<boolean> {
  const text = `UPDATE repository
    SET seq = ?3, targets = ?4, targets_expires_at = ?5, snapshot_version = ?6, snapshot = ?7,
      snapshot_expires_at = ?8, timestamp_version = ?9, timestamp = ?10, lease_issued_at = ?11,
      lease_expires_at = ?12
    WHERE host = ?1 AND timestamp_version = ?2
    RETURNING host`;
  const update = sql
    .prepare(text)
    .bind(
      next.host,
      previous.timestamp_version,
      next.seq,
      next.targets,
      next.targets_expires_at,
      next.snapshot_version,
      next.snapshot,
      next.snapshot_expires_at,
      next.timestamp_version,
      next.timestamp,
      next.lease_issued_at,
      next.lease_expires_at,
    );
  // A seq that the renewal made is a publication too; none is made when the update above changed nothing.
  const publish = sql
    .prepare(
      `INSERT INTO publication (host, seq, revision, bundle_sha256, at)
        SELECT host, seq, revision, bundle_sha256, ?1
        FROM repository r
        WHERE host = ?2
          AND seq = ?3
          AND NOT EXISTS (SELECT 1 FROM publication p WHERE p.host = r.host AND p.seq >= r.seq)`,
    )
    .bind(now, next.host, next.seq);
  const [updated] = await sql.batch(next.seq === previous.seq ? [update] : [update, publish]);
  return updated?.results.length === 1;
}

/** Repositories whose lease ends before `at`, the soonest first. */
export async function listLeasesEndingBefore(
  sql: Sql,
  at: number,
  limit: number,
): Promise<readonly Repository[]> {
  return db(sql)
    .select()
    .from(repository)
    .where(lt(repository.lease_expires_at, at))
    .orderBy(asc(repository.lease_expires_at))
    .limit(limit);
}
