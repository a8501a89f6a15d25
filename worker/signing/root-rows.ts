/** The root chain as stored: exact bytes as text, every version, for ever. */
import type { D1PreparedStatement } from "@cloudflare/workers-types";
import { asc, desc, eq, gt, sql as raw } from "drizzle-orm";
import { fleet, root } from "#worker/db/tables/index.ts";
import { envelope, Root } from "#schema/tuf.ts";
import type { Sql } from "#worker/ports/index.ts";
import { db, toStatement } from "#worker/db/drizzle.ts";

export interface StoredRoot {
  readonly version: number;
  /** Exact text of root.json. */
  readonly body: string;
  readonly sha256: string;
}

const columns = { version: root.version, body: root.body, sha256: root.sha256 };

/** The root in force; undefined before the first ceremony. */
export async function readLatestRoot(sql: Sql): Promise<StoredRoot | undefined> {
  const [row] = await db(sql).select(columns).from(root).orderBy(desc(root.version)).limit(1);
  return row;
}

export interface RootInForce {
  readonly signed: Root;
  /** When it was put in force, milliseconds since the Unix epoch. */
  readonly at: number;
}

/** What the root in force says; it was checked before it was stored. */
export async function readRootInForce(sql: Sql): Promise<RootInForce | undefined> {
  const select = db(sql).select({ body: root.body, at: root.at }).from(root);
  const [row] = await select.orderBy(desc(root.version)).limit(1);
  return row === undefined
    ? undefined
    : { signed: envelope(Root).parse(JSON.parse(row.body)).signed, at: row.at };
}

export async function readRootByVersion(
  sql: Sql,
  version: number,
): Promise<StoredRoot | undefined> {
  const [row] = await db(sql).select(columns).from(root).where(eq(root.version, version));
  return row;
}

/** Roots in order, the oldest first, beginning with the one after `version`. */
export async function readRootsAfter(
  sql: Sql,
  version: number,
  limit: number,
): Promise<readonly StoredRoot[]> {
  return db(sql)
    .select(columns)
    .from(root)
    .where(gt(root.version, version))
    .orderBy(asc(root.version))
    .limit(limit);
}

/** Was a root with this digest ever in force? */
export async function isStoredRoot(sql: Sql, sha256: string): Promise<boolean> {
  const rows = await db(sql)
    .select({ version: root.version })
    .from(root)
    .where(eq(root.sha256, sha256));
  return rows.length > 0;
}

/** Stores the next root. In its batch it must follow `raiseGeneration`, so that every host is told. */
export const insertRoot = (
  sql: Sql,
  row: StoredRoot & { readonly at: number },
): D1PreparedStatement =>
  toStatement(
    sql,
    db(sql)
      .insert(root)
      .values({ ...row, generation: raw`(select ${fleet.generation} from ${fleet})` }),
  );
