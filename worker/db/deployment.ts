/** What a database says of the deployment that it belongs to. */
import * as z from "zod";
import type { Sql } from "#worker/ports/index.ts";

const Named = z.object({ fleet: z.string().nullable() });

/** The fleet in whose name anything was signed for a host; undefined before that. */
export async function readSignedFleet(sql: Sql): Promise<string | undefined> {
  const text = `SELECT coalesce(
        (SELECT snapshot ->> '$.signed.custom.fleet' FROM repository LIMIT 1),
        (SELECT targets ->> '$.targets."bundle.json".custom.fleet' FROM pending LIMIT 1)) AS fleet`;
  return Named.parse(await sql.prepare(text).first()).fleet ?? undefined;
}
