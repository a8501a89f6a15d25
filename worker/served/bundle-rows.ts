/** Who a bundle is for, and until when it was. */
import * as z from "zod";
import type { Sql } from "#worker/ports/index.ts";

const Found = z.array(z.object({ sha256: z.string() }));

/**
 * Of these bundles, those that no host is served, that wait for nobody's signature, and that every host had before which
 * it was published for had replaced by this time; one that was never published counts as replaced.
 * @param before milliseconds since the Unix epoch
 */
export async function listForgettable(
  sql: Sql,
  bundles: readonly string[],
  before: number,
): Promise<ReadonlySet<string>> {
  const { results } = await sql
    .prepare(
      `SELECT b.value AS sha256 FROM json_each(?1) AS b
        WHERE NOT EXISTS (SELECT 1 FROM repository WHERE bundle_sha256 = b.value)
          AND NOT EXISTS (SELECT 1 FROM pending WHERE bundle_sha256 = b.value)
          AND NOT EXISTS (
            SELECT 1 FROM publication p WHERE p.bundle_sha256 = b.value AND NOT EXISTS (
              SELECT 1 FROM publication later
              WHERE later.host = p.host AND later.seq > p.seq AND later.at < ?2))`,
    )
    .bind(JSON.stringify(bundles), before)
    .all();
  return new Set(Found.parse(results).map(({ sha256 }) => sha256));
}
