/** API tokens as stored: by hash, with scopes, expiry and revocation. */
import type { D1PreparedStatement } from "@cloudflare/workers-types";
import { and, asc, eq, gt, isNull } from "drizzle-orm";
import * as z from "zod";
import { token } from "#schema/tables/index.ts";
import { TokenScope } from "#schema/api/tokens.ts";
import type { Sql } from "../ports.ts";
import { db, statement } from "./db.ts";

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
}

const Scopes = z.array(TokenScope);

const fromRow = (row: typeof token.$inferSelect): Token => ({
  ...row,
  scopes: Scopes.parse(JSON.parse(row.scopes)),
});

export async function findToken(sql: Sql, id: string): Promise<Token | undefined> {
  const [row] = await db(sql).select().from(token).where(eq(token.id, id));
  return row === undefined ? undefined : fromRow(row);
}

/** Is there a token of this name that was not revoked? Names stand in the audit, so one means one. */
export async function tokenNameTaken(sql: Sql, name: string): Promise<boolean> {
  const rows = await db(sql)
    .select({ id: token.id })
    .from(token)
    .where(and(eq(token.name, name), isNull(token.revoked_at)));
  return rows.length > 0;
}

/** Tokens by id, from the one after `after`. */
export async function listTokens(sql: Sql, limit: number, after = ""): Promise<readonly Token[]> {
  const rows = await db(sql)
    .select()
    .from(token)
    .where(gt(token.id, after))
    .orderBy(asc(token.id))
    .limit(limit);
  return rows.map(fromRow);
}

export const insertToken = (sql: Sql, row: Token): D1PreparedStatement =>
  statement(
    sql,
    db(sql)
      .insert(token)
      .values({ ...row, scopes: JSON.stringify(row.scopes) }),
  );

export const revokeToken = (sql: Sql, id: string, at: number): D1PreparedStatement =>
  statement(
    sql,
    db(sql)
      .update(token)
      .set({ revoked_at: at })
      .where(and(eq(token.id, id), isNull(token.revoked_at))),
  );
