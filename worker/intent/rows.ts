/**
 * Reading intent: open rows, rows as they were at a revision, and the snapshot made of them.
 * Bodies are parsed by their kind's schema on the way out: a row changed behind our back is an error, not an opinion.
 */
import type { D1PreparedStatement } from "@cloudflare/workers-types";
import {
  and,
  asc,
  desc,
  eq,
  gt,
  gte,
  isNull,
  lt,
  lte,
  or,
  sql as raw,
  type SQL,
} from "drizzle-orm";
import * as z from "zod";
import { type Bodies, type Kind, kinds, type Snapshot } from "#schema/intent.ts";
import { compareText } from "#schema/order.ts";
import { fleet, intent, revision } from "#worker/db/tables/index.ts";
import type { Sql } from "#worker/ports/index.ts";
import { db, toStatement } from "#worker/db/drizzle.ts";

/** One row of intent. `body` is its canonical text; `from_revision` names this version of it (its ETag). */
export const Row = z.object({
  kind: z.enum(["host", "member", "overlay", "service", "zone"]) satisfies z.ZodType<Kind>,
  key: z.string(),
  body: z.string(),
  from_revision: z.int(),
  to_revision: z.int().nullable(),
  by: z.string(),
  on_behalf_of: z.string().nullable(),
  source: z.string(),
});
export type Row = z.infer<typeof Row>;

export interface Intent {
  readonly revision: number;
  readonly rows: readonly Row[];
}

const rowColumns = {
  kind: intent.kind,
  key: intent.key,
  body: intent.body,
  from_revision: intent.from_revision,
  to_revision: intent.to_revision,
  by: intent.by,
  on_behalf_of: intent.on_behalf_of,
  source: intent.source,
};

/** All rows at head, or as they were at `at`; undefined when that revision does not exist yet. One consistent read. */
export async function readIntent(sql: Sql, at?: number): Promise<Intent | undefined> {
  const [head, rows] = await sql.batch([headStatement(sql), makeRowsStatement(sql, at)]);
  const revisionNow = headOf(head);
  if (at !== undefined && at > revisionNow) return undefined;
  return { revision: at ?? revisionNow, rows: z.array(Row).parse(rows?.results) };
}

/** All rows at head. */
export async function readHead(sql: Sql): Promise<Intent> {
  const intentNow = await readIntent(sql);
  if (intentNow === undefined) throw new Error("head is always readable");
  return intentNow;
}

const headStatement = (sql: Sql): D1PreparedStatement =>
  toStatement(sql, db(sql).select({ head: fleet.head }).from(fleet));

const headOf = (result: { readonly results: unknown } | undefined): number =>
  z.tuple([z.object({ head: z.int() })]).parse(result?.results)[0].head;

function makeRowsStatement(sql: Sql, at: number | undefined): D1PreparedStatement {
  const open = isNull(intent.to_revision);
  const then =
    at === undefined
      ? open
      : and(lte(intent.from_revision, at), or(open, gt(intent.to_revision, at)));
  return toStatement(sql, db(sql).select(rowColumns).from(intent).where(then));
}

/** The compiler's input: maps ordered by key, whatever order the rows came in. */
export function snapshotOf(
  revisionNow: number,
  rows: readonly Pick<Row, "kind" | "key" | "body">[],
): Snapshot {
  const ordered = [...rows].sort((a, b) => compareText(a.key, b.key));
  const of = <K extends Kind>(
    kind: K,
    parse: (value: unknown) => Bodies[K],
  ): ReadonlyMap<string, Bodies[K]> =>
    new Map(
      ordered
        .filter((row) => row.kind === kind)
        .map(({ key, body }) => [key, parse(JSON.parse(body))]),
    );
  return {
    revision: revisionNow,
    hosts: of("host", (value) => kinds.host.body.parse(value)),
    overlays: of("overlay", (value) => kinds.overlay.body.parse(value)),
    members: of("member", (value) => kinds.member.body.parse(value)),
    services: of("service", (value) => kinds.service.body.parse(value)),
    zones: of("zone", (value) => kinds.zone.body.parse(value)),
  };
}

/** A row with the time of the revision that wrote it, in milliseconds since the Unix epoch. */
const DatedRow = Row.extend({ at: z.int() });
export type DatedRow = z.infer<typeof DatedRow>;

export async function findRow(sql: Sql, kind: Kind, key: string): Promise<DatedRow | undefined> {
  const [row] = await readDatedRows(sql, and(eq(intent.kind, kind), eq(intent.key, key)), 1);
  return row;
}

export interface RowsPage {
  readonly kind: Kind;
  /** Only keys that begin with this, such as `office/`. */
  readonly prefix: string;
  /** Only keys after this one. */
  readonly after: string;
  readonly limit: number;
}

/** Open rows of one kind, by key. */
export async function listRows(sql: Sql, page: RowsPage): Promise<readonly DatedRow[]> {
  const inPrefix =
    page.prefix === ""
      ? undefined
      : and(gte(intent.key, page.prefix), lt(intent.key, `${page.prefix}\u{10ffff}`));
  return readDatedRows(
    sql,
    and(eq(intent.kind, page.kind), gt(intent.key, page.after), inPrefix),
    page.limit,
  );
}

export interface Selection {
  /** Only this kind, only this source; undefined for all. */
  readonly kind: Kind | undefined;
  readonly source: string | undefined;
  /** Only rows after this one, by kind, then key. */
  readonly after: { readonly kind: string; readonly key: string };
  readonly limit: number;
}

/** Open rows of all kinds, by kind and key, and the head at which they stood. One consistent read. */
export async function selectRows(
  sql: Sql,
  { kind, source, after, limit }: Selection,
): Promise<{ readonly revision: number; readonly rows: readonly DatedRow[] }> {
  const wanted = and(
    isNull(intent.to_revision),
    or(gt(intent.kind, after.kind), and(eq(intent.kind, after.kind), gt(intent.key, after.key))),
    kind === undefined ? undefined : eq(intent.kind, kind),
    source === undefined ? undefined : eq(intent.source, source),
  );
  const select = db(sql)
    .select({ ...rowColumns, at: revision.at })
    .from(intent)
    .innerJoin(revision, eq(revision.n, intent.from_revision))
    .where(wanted)
    .orderBy(asc(intent.kind), asc(intent.key))
    .limit(limit);
  const [head, rows] = await sql.batch([headStatement(sql), toStatement(sql, select)]);
  return { revision: headOf(head), rows: z.array(DatedRow).parse(rows?.results) };
}

async function readDatedRows(
  sql: Sql,
  where: SQL | undefined,
  limit: number,
): Promise<readonly DatedRow[]> {
  const rows = await db(sql)
    .select({ ...rowColumns, at: revision.at })
    .from(intent)
    .innerJoin(revision, eq(revision.n, intent.from_revision))
    .where(and(isNull(intent.to_revision), where))
    .orderBy(asc(intent.key))
    .limit(limit);
  return rows.map((row) => ({ ...Row.parse(row), at: row.at }));
}

export type RevisionRow = typeof revision.$inferSelect;

/** Revisions, newest first, from the one before `before`. */
export async function listRevisions(
  sql: Sql,
  page: { readonly before?: number; readonly limit: number },
): Promise<readonly RevisionRow[]> {
  const older = page.before === undefined ? undefined : lt(revision.n, page.before);
  return db(sql).select().from(revision).where(older).orderBy(desc(revision.n)).limit(page.limit);
}

/** The head, and the highest revision that any row names; rows above the head are nobody's. */
export async function readLatestRevisionOfRows(
  sql: Sql,
): Promise<{ readonly head: number; readonly ofRows: number }> {
  const [head, rows] = await sql.batch([
    headStatement(sql),
    toStatement(
      sql,
      db(sql)
        .select({ head: raw<number>`coalesce(max(${intent.from_revision}), 0)`.as("head") })
        .from(intent),
    ),
  ]);
  return { head: headOf(head), ofRows: headOf(rows) };
}

export interface RevisionDetail {
  readonly revision: RevisionRow;
  /** Rows it closed and rows it opened. */
  readonly rows: readonly Row[];
}

export async function findRevision(sql: Sql, n: number): Promise<RevisionDetail | undefined> {
  const [found] = await db(sql).select().from(revision).where(eq(revision.n, n));
  if (found === undefined) return undefined;
  const rows = await db(sql)
    .select(rowColumns)
    .from(intent)
    .where(or(eq(intent.from_revision, n), eq(intent.to_revision, n)))
    .orderBy(asc(intent.kind), asc(intent.key));
  return { revision: found, rows: z.array(Row).parse(rows) };
}
