/**
 * The statements of one commit, in the order their triggers need: the revision first (it is the compare-and-swap),
 * then rows closed and opened, then what was published. Lists travel as JSON in one parameter, because D1 binds at most
 * 100 a statement.
 */
import type { D1PreparedStatement } from "@cloudflare/workers-types";
import { inArray } from "drizzle-orm";
import { pending as pendingTable, repository, revision } from "#worker/db/tables/index.ts";
import type { Sql } from "#worker/ports/index.ts";
import type { Pending, Repository } from "#worker/signing/index.ts";
import { db, toStatement } from "#worker/db/drizzle.ts";
import { inList, splitChunks } from "#worker/db/lists.ts";
import { raiseGeneration } from "#worker/db/fleet.ts";
import type { RevisionRow, Row } from "#worker/intent/index.ts";
import { proposeStatement, publishedStatement } from "./pending-rows.ts";
import { withhold } from "./level-rows.ts";

export interface CommitWrite {
  readonly revision: RevisionRow;
  readonly closed: readonly Pick<Row, "kind" | "key">[];
  readonly opened: readonly Pick<Row, "kind" | "key" | "body">[];
  /** Hosts that the revision is withheld from. */
  readonly held: readonly { readonly host: string }[];
  readonly published: Publications;
}

export interface Publications {
  /** First repositories of hosts that had none. */
  readonly added: readonly Repository[];
  readonly updated: readonly Repository[];
  /** Targets that operators are to sign. */
  readonly pending: readonly Pending[];
}

export function commitStatements(sql: Sql, write: CommitWrite): readonly D1PreparedStatement[] {
  return [
    toStatement(sql, db(sql).insert(revision).values(write.revision)),
    ...closeRows(sql, write),
    ...openRows(sql, write),
    ...withholdFrom(sql, write),
    ...makePublicationStatements(sql, write.revision.at, write.published),
  ];
}

/** What publishing writes; hosts look again when something was published, and not when something waits. */
export function makePublicationStatements(
  sql: Sql,
  at: number,
  { added, updated, pending }: Publications,
): readonly D1PreparedStatement[] {
  const published = [...updated, ...added];
  const proposed = pending.map((row) => proposeStatement(sql, row));
  if (published.length === 0) return proposed;
  return [
    ...proposed,
    raiseGeneration(sql),
    ...updateRepositories(sql, updated),
    ...addRepositories(sql, added),
    ...addPublications(sql, at, published),
    publishedStatement(
      sql,
      published.map(({ host }) => host),
    ),
  ];
}

const withholdFrom = (
  sql: Sql,
  { revision: { n }, held }: CommitWrite,
): readonly D1PreparedStatement[] =>
  held.length === 0
    ? []
    : [
        withhold(
          sql,
          n,
          held.map(({ host }) => host),
        ),
      ];

function closeRows(sql: Sql, write: CommitWrite): readonly D1PreparedStatement[] {
  const text = `UPDATE intent
      SET to_revision = ?1
      WHERE to_revision IS NULL
        AND (kind, key) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?2))`;
  return splitChunks(write.closed.map(({ kind, key }) => [kind, key])).map((json) =>
    sql.prepare(text).bind(write.revision.n, json),
  );
}

function openRows(sql: Sql, write: CommitWrite): readonly D1PreparedStatement[] {
  const { n, author, on_behalf_of, source } = write.revision;
  const text = `INSERT INTO intent (kind, key, body, from_revision, "by", on_behalf_of, source)
      SELECT value ->> 0, value ->> 1, value ->> 2, ?1, ?2, ?3, ?4
      FROM json_each(?5)`;
  return splitChunks(write.opened.map(({ kind, key, body }) => [kind, key, body])).map((json) =>
    sql.prepare(text).bind(n, author, on_behalf_of, source, json),
  );
}

/** Every column but `host` and `generation`, in one fixed order for both statements. */
const repositoryColumns = [
  "seq",
  "revision",
  "bundle_sha256",
  "bundle_length",
  "targets",
  "targets_expires_at",
  "snapshot_version",
  "snapshot",
  "snapshot_expires_at",
  "timestamp_version",
  "timestamp",
  "lease_issued_at",
  "lease_expires_at",
] as const satisfies readonly (keyof Repository)[];

const repositoryJson = (rows: readonly Repository[]): readonly string[] =>
  splitChunks(rows.map((row) => [row.host, ...repositoryColumns.map((column) => row[column])]));

function updateRepositories(sql: Sql, rows: readonly Repository[]): readonly D1PreparedStatement[] {
  const sets = repositoryColumns.map((column, i) => `${column} = n.value ->> ${i + 1}`).join(", ");
  const text = `UPDATE repository
    SET generation = (SELECT generation FROM fleet), ${sets}
    FROM json_each(?1) AS n
    WHERE repository.host = n.value ->> 0`;
  return repositoryJson(rows).map((json) => sql.prepare(text).bind(json));
}

function addRepositories(sql: Sql, rows: readonly Repository[]): readonly D1PreparedStatement[] {
  const values = repositoryColumns.map((_, i) => `value ->> ${i + 1}`).join(", ");
  const text = `INSERT INTO repository (generation, host, ${repositoryColumns.join(", ")})
    SELECT (SELECT generation FROM fleet), value ->> 0, ${values}
    FROM json_each(?1)`;
  return repositoryJson(rows).map((json) => sql.prepare(text).bind(json));
}

function addPublications(
  sql: Sql,
  at: number,
  rows: readonly Repository[],
): readonly D1PreparedStatement[] {
  const text = `INSERT INTO publication (host, seq, revision, bundle_sha256, at)
      SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, ?1
      FROM json_each(?2)`;
  return splitChunks(rows.map((row) => [row.host, row.seq, row.revision, row.bundle_sha256])).map(
    (json) => sql.prepare(text).bind(at, json),
  );
}

/** Digest of the bundle that each of these hosts is served now, or that waits to be. */
export async function readServedBundles(
  sql: Sql,
  hosts: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const digests = (from: typeof repository | typeof pendingTable) =>
    db(sql)
      .select({ host: from.host, sha256: from.bundle_sha256 })
      .from(from)
      .where(inArray(from.host, inList(hosts)));
  const rows = [...(await digests(repository)), ...(await digests(pendingTable))];
  return new Map(rows.map(({ host, sha256 }) => [host, sha256]));
}

/** The stored repositories of these hosts, by host. */
export async function readRepositories(
  sql: Sql,
  hosts: readonly string[],
): Promise<ReadonlyMap<string, Repository>> {
  const rows = await db(sql)
    .select()
    .from(repository)
    .where(inArray(repository.host, inList(hosts)));
  return new Map(rows.map((row) => [row.host, row]));
}

/** Seq that each of these hosts is served now, or that waits to be. */
export async function readServedSeqs(
  sql: Sql,
  hosts: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const seqs = (from: typeof repository | typeof pendingTable) =>
    db(sql)
      .select({ host: from.host, seq: from.seq })
      .from(from)
      .where(inArray(from.host, inList(hosts)));
  const rows = [...(await seqs(repository)), ...(await seqs(pendingTable))];
  return new Map(rows.map(({ host, seq }) => [host, seq]));
}
