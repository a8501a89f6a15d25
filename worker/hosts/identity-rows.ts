/** Hosts' public keys, and the client assertions that were used. */
import type { D1PreparedStatement } from "@cloudflare/workers-types";
import { and, eq, inArray, isNotNull, isNull, lte, sql as raw } from "drizzle-orm";
import * as z from "zod";
import { assertion, fleet, identity } from "#worker/db/tables/index.ts";
import type { Sql } from "#worker/ports/index.ts";
import { db, toStatement } from "#worker/db/drizzle.ts";
import { inList } from "#worker/db/lists.ts";

/** `enrolment` names the enrolment this key came from; `revoked_at` is null while the key is good. */
export type Identity = Readonly<typeof identity.$inferSelect>;

/** Who says something: a host, by the enrolment that its key came from. */
export interface Speaker {
  readonly host: string;
  readonly enrolment: string | null;
}

const currentGeneration = raw`(select ${fleet.generation} from ${fleet})`;

export async function findIdentity(sql: Sql, host: string): Promise<Identity | undefined> {
  const [row] = await db(sql).select().from(identity).where(eq(identity.host, host));
  return row;
}

export type NewIdentity = Pick<Identity, "host" | "public_key" | "enrolled_at" | "enrolment">;

/** Sets a host's key. In its batch it must follow `raiseGeneration`, so that tokens of the key before die. */
export function putIdentity(sql: Sql, row: NewIdentity): D1PreparedStatement {
  const values = { ...row, generation: currentGeneration, revoked_at: null, suspected_at: null };
  const { host: _, ...set } = values;
  return toStatement(
    sql,
    db(sql).insert(identity).values(values).onConflictDoUpdate({ target: identity.host, set }),
  );
}

/** Revokes a host's key. In its batch it must follow `raiseGeneration`. */
export const revokeIdentity = (sql: Sql, host: string, at: number): D1PreparedStatement =>
  toStatement(
    sql,
    db(sql)
      .update(identity)
      .set({ revoked_at: at, generation: currentGeneration })
      .where(and(eq(identity.host, host), isNull(identity.revoked_at))),
  );

/** Once: the first time stays until the host has another key. */
export const suspectClone = (sql: Sql, host: string, at: number): D1PreparedStatement =>
  toStatement(
    sql,
    db(sql)
      .update(identity)
      .set({ suspected_at: at })
      .where(and(eq(identity.host, host), isNull(identity.suspected_at))),
  );

/** Hosts of these under whose key two agents reported. */
export async function suspectedOf(
  sql: Sql,
  hosts: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await db(sql)
    .select({ host: identity.host })
    .from(identity)
    .where(and(isNotNull(identity.suspected_at), inArray(identity.host, inList(hosts))));
  return new Set(rows.map(({ host }) => host));
}

/** Assertions of one host that are remembered at once; an agent uses one a day. */
const assertionsMax = 20;

const Used = z.array(z.object({ known: z.int(), crowd: z.int() })).length(1);

/**
 * `known`: this assertion bought a token before; `crowded`: the host used many that are not over yet. Times in
 * milliseconds since the Unix epoch.
 */
export async function useAssertion(
  sql: Sql,
  {
    jti,
    host,
    expires_at,
  }: { readonly jti: string; readonly host: string; readonly expires_at: number },
  now: number,
): Promise<"first" | "known" | "crowded"> {
  const crowd = `(SELECT count(*)
      FROM assertion
      WHERE jti > ?2 || '/' AND jti < ?2 || '0' AND expires_at > ?3)`;
  const [before] = await sql.batch([
    sql
      .prepare(`SELECT EXISTS (SELECT 1 FROM assertion WHERE jti = ?1) AS known, ${crowd} AS crowd`)
      .bind(jti, host, now),
    sql
      .prepare(
        `INSERT INTO assertion (jti, host, expires_at)
          SELECT ?1, ?2, ?4
          WHERE ${crowd} < ${assertionsMax}
          ON CONFLICT DO NOTHING`,
      )
      .bind(jti, host, now, expires_at),
  ]);
  const [found] = Used.parse(before?.results);
  if (found === undefined || found.known === 1) return "known";
  return found.crowd < assertionsMax ? "first" : "crowded";
}

/** Forgets assertions that expired by themselves. */
export async function forgetAssertions(sql: Sql, now: number): Promise<void> {
  await db(sql).delete(assertion).where(lte(assertion.expires_at, now));
}
