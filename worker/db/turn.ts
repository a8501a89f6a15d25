/**
 * Whose turn it is to write. Writers race for the audit chain, and a long one loses to every short one; after a few
 * losses it takes the turn, and whoever has read nothing yet waits for it. A courtesy that decides nothing: it ends by
 * itself, by the store's own clock, and one that is lost, ignored or left behind costs time alone.
 */
import type { D1PreparedStatement } from "@cloudflare/workers-types";
import * as z from "zod";
import type { Sql } from "#worker/ports/index.ts";

/** Milliseconds: no turn lasts longer, also where the store's clock was set back meanwhile. */
const turnMax = 60_000;

const now = "CAST(unixepoch('subsec') * 1000 AS INTEGER)";
const isTaken = `until > ${now} AND until <= ${now} + ${turnMax}`;

const Holder = z.array(z.object({ holder: z.string() }));

/** Takes the turn for so many milliseconds, or keeps it for so many more. @returns false when it is another's */
export async function takeTurn(sql: Sql, holder: string, milliseconds: number): Promise<boolean> {
  const text = `INSERT INTO turn (id, holder, until)
    VALUES (1, ?1, ${now} + ?2)
    ON CONFLICT (id) DO UPDATE SET holder = ?1, until = ${now} + ?2
    WHERE holder = ?1 OR NOT (${isTaken})
    RETURNING holder`;
  const { results } = await sql.prepare(text).bind(holder, Math.min(milliseconds, turnMax)).all();
  return Holder.parse(results).length === 1;
}

export async function isTurnOfAnother(sql: Sql, holder: string): Promise<boolean> {
  const text = `SELECT holder FROM turn WHERE holder <> ?1 AND ${isTaken}`;
  return Holder.parse((await sql.prepare(text).bind(holder).all()).results).length > 0;
}

export const endTurn = (sql: Sql, holder: string): D1PreparedStatement =>
  sql.prepare(`DELETE FROM turn WHERE holder = ?1`).bind(holder);
