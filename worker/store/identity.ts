/** Hosts' public keys, and the client assertions that were used. */
import type { D1PreparedStatement } from "@cloudflare/workers-types";
import { and, eq, inArray, isNotNull, isNull, lte, sql as raw } from "drizzle-orm";
import { assertion, fleet, identity } from "#schema/tables/index.ts";
import type { Sql } from "../ports.ts";
import { db, statement } from "./db.ts";

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
  return statement(
    sql,
    db(sql).insert(identity).values(values).onConflictDoUpdate({ target: identity.host, set }),
  );
}

/** Revokes a host's key. In its batch it must follow `raiseGeneration`. */
export const revokeIdentity = (sql: Sql, host: string, at: number): D1PreparedStatement =>
  statement(
    sql,
    db(sql)
      .update(identity)
      .set({ revoked_at: at, generation: currentGeneration })
      .where(and(eq(identity.host, host), isNull(identity.revoked_at))),
  );

/** Once: the first time stays until the host has another key. */
export const suspectClone = (sql: Sql, host: string, at: number): D1PreparedStatement =>
  statement(
    sql,
    db(sql)
      .update(identity)
      .set({ suspected_at: at })
      .where(and(eq(identity.host, host), isNull(identity.suspected_at))),
  );

/** Hosts of these under whose key two agents reported. */
export async function suspectedOf(sql: Sql, hosts: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await db(sql)
    .select({ host: identity.host })
    .from(identity)
    .where(
      and(
        isNotNull(identity.suspected_at),
        inArray(identity.host, raw`(SELECT value FROM json_each(${JSON.stringify(hosts)}))`),
      ),
    );
  return new Set(rows.map(({ host }) => host));
}

/** @returns false when this assertion bought a token before. `expires_at` in milliseconds since the Unix epoch */
export async function useAssertion(
  sql: Sql,
  row: { readonly jti: string; readonly host: string; readonly expires_at: number },
): Promise<boolean> {
  const inserted = await db(sql)
    .insert(assertion)
    .values(row)
    .onConflictDoNothing()
    .returning({ jti: assertion.jti });
  return inserted.length === 1;
}

/** Forgets assertions that expired by themselves. */
export async function forgetAssertions(sql: Sql, now: number): Promise<void> {
  await db(sql).delete(assertion).where(lte(assertion.expires_at, now));
}
