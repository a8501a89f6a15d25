/**
 * API tokens as stored: by hash, with scopes, expiry, revocation and the token that made them. A line is a token that the
 * first operator token made, and all that descends from it.
 */
import type { D1PreparedStatement } from "@cloudflare/workers-types";
import { and, asc, eq, gt, inArray, sql as raw } from "drizzle-orm";
import * as z from "zod";
import { token } from "#worker/db/tables/index.ts";
import { TokenScope } from "#schema/api/tokens.ts";
import type { Sql } from "#worker/ports/index.ts";
import { db, toStatement } from "#worker/db/drizzle.ts";
import { inList } from "#worker/db/lists.ts";

export interface Token {
  readonly id: string;
  readonly name: string;
  readonly sha256: string;
  readonly scopes: readonly TokenScope[];
  /** Times in milliseconds since the Unix epoch. */
  readonly created_at: number;
  readonly created_by: string;
  readonly expires_at: number | null;
  readonly revoked_at: number | null;
  /** The token that made it, by id; null for one that the first operator token made. */
  readonly parent: string | null;
  /** The first of its line, by id. */
  readonly ancestor: string;
}

const Scopes = z.array(TokenScope);

const fromRow = (row: typeof token.$inferSelect): Token => ({
  ...row,
  ancestor: row.ancestor ?? row.id,
  scopes: Scopes.parse(JSON.parse(row.scopes)),
});

export async function findToken(sql: Sql, id: string): Promise<Token | undefined> {
  const [row] = await db(sql).select().from(token).where(eq(token.id, id));
  return row === undefined ? undefined : fromRow(row);
}

/** Was a token of this name ever made? Names stand in the audit for ever, so one means one. */
export async function isTokenNameTaken(sql: Sql, name: string): Promise<boolean> {
  const rows = await db(sql)
    .select({ id: token.id })
    .from(token)
    .where(eq(token.name, name))
    .limit(1);
  return rows.length > 0;
}

/** A token by id and all that descends from it, as `line (id)`; parameter 1 is the id. */
const lineOf = `WITH RECURSIVE line (id) AS (SELECT ?1 UNION ALL SELECT token.id FROM token
      JOIN line ON token.parent = line.id)`;

/** Tokens by id, from the one after `after`: all, or one and what descends from it. */
export async function listTokens(
  sql: Sql,
  limit: number,
  after = "",
  of: string | null = null,
): Promise<readonly Token[]> {
  const line = raw`(WITH RECURSIVE line (id) AS (SELECT ${of} UNION ALL SELECT token.id FROM token
      JOIN line ON token.parent = line.id)
    SELECT id
    FROM line)`;
  const within = of === null ? undefined : inArray(token.id, line);
  const rows = await db(sql)
    .select()
    .from(token)
    .where(and(gt(token.id, after), within))
    .orderBy(asc(token.id))
    .limit(limit);
  return rows.map(fromRow);
}

const Ids = z.array(z.object({ id: z.string() }));

/** Is the one this token, or does it descend from it? */
export async function descends(sql: Sql, one: string, from: string): Promise<boolean> {
  const found = await sql
    .prepare(`${lineOf} SELECT id FROM line WHERE id = ?2`)
    .bind(from, one)
    .all();
  return Ids.parse(found.results).length > 0;
}

/** Names of the tokens that a revocation of this one would end beside it, by id. */
export async function listLivingDescendants(sql: Sql, id: string): Promise<readonly string[]> {
  const { results } = await sql
    .prepare(
      `${lineOf}
        SELECT name
        FROM token
        WHERE id IN (SELECT id FROM line) AND id <> ?1 AND revoked_at IS NULL
        ORDER BY id`,
    )
    .bind(id)
    .all();
  return z
    .array(z.object({ name: z.string() }))
    .parse(results)
    .map(({ name }) => name);
}

/** How many tokens stand between this one and the first of its line, itself and that one counted; and its line's size. */
export async function countLine(
  sql: Sql,
  { id, ancestor }: Token,
): Promise<{ depth: number; tokens: number }> {
  const { results } = await sql
    .prepare(
      `WITH RECURSIVE up (id, parent) AS (SELECT id, parent FROM token WHERE id = ?1
          UNION ALL SELECT token.id, token.parent FROM token JOIN up ON token.id = up.parent)
        SELECT (SELECT count(*) FROM up) AS depth,
          (SELECT count(*) FROM token WHERE ancestor = ?2) AS tokens`,
    )
    .bind(id, ancestor)
    .all();
  const [size] = z.array(z.object({ depth: z.int(), tokens: z.int() })).parse(results);
  return size ?? { depth: 0, tokens: 0 };
}

/** The first of the line of each token of these names; before names were given once, several had one. */
export async function readAncestorsByName(
  sql: Sql,
  names: readonly string[],
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const rows = await db(sql)
    .select({ id: token.id, name: token.name, ancestor: token.ancestor })
    .from(token)
    .where(inArray(token.name, inList(names)));
  const byName = Map.groupBy(rows, ({ name }) => name);
  return new Map(
    [...byName].map(([name, of]) => [name, new Set(of.map(({ id, ancestor }) => ancestor ?? id))]),
  );
}

export const insertToken = (sql: Sql, row: Token): D1PreparedStatement =>
  toStatement(
    sql,
    db(sql)
      .insert(token)
      .values({ ...row, scopes: JSON.stringify(row.scopes) }),
  );

/** Ends a token and all that descends from it; those that ended before keep their time. */
export const revokeToken = (sql: Sql, id: string, at: number): D1PreparedStatement =>
  sql
    .prepare(
      `${lineOf} UPDATE token
        SET revoked_at = ?2
        WHERE id IN (SELECT id FROM line) AND revoked_at IS NULL`,
    )
    .bind(id, at);
