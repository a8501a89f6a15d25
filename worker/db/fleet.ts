/** The fleet row: head of intent, and the generation that rises whenever a host must look again. */
import type { D1PreparedStatement } from "@cloudflare/workers-types";
import { sql as raw } from "drizzle-orm";
import { fleet } from "./tables/index.ts";
import type { Sql } from "#worker/ports/index.ts";
import { db, toStatement } from "./drizzle.ts";

export interface Fleet {
  readonly head: number;
  readonly generation: number;
}

export async function readFleet(sql: Sql): Promise<Fleet> {
  const [row] = await db(sql)
    .select({ head: fleet.head, generation: fleet.generation })
    .from(fleet);
  if (row === undefined) throw new Error("the fleet row is missing: migrations did not run");
  return row;
}

/**
 * Raises the generation; statements after it in the batch read the new value. It is never a number that was given
 * before, not even by a store that was put back to an older day: a host that still knows the younger one would take a
 * change for one that it has. So it is the store's clock in milliseconds, or one more than it was.
 */
export const raiseGeneration = (sql: Sql): D1PreparedStatement =>
  toStatement(
    sql,
    db(sql)
      .update(fleet)
      .set({
        generation: raw`max(${fleet.generation} + 1, CAST(unixepoch('subsec') * 1000 AS INTEGER))`,
      }),
  );
