/**
 * When hosts were last seen polling, as stored: the fleet in 64 shares, a row each, so that a poll writes nothing and
 * what many polls brought is a few rows. Times are as good as the isolate that wrote last: some minutes.
 */
import type { D1PreparedStatement } from "@cloudflare/workers-types";
import * as z from "zod";
import { Key } from "#schema/primitives.ts";
import type { Sql } from "#worker/ports/index.ts";

const shares = 64;

/** FNV-1a (32 bit) over UTF-16 units: any even spread would do, but never another one. */
function shareOf(host: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < host.length; i += 1)
    hash = Math.imul(hash ^ host.charCodeAt(i), 0x01000193) >>> 0;
  return hash % shares;
}

/** @param seen milliseconds since the Unix epoch, by host; hosts that have no good key any more are left out */
export const sightingStatements = (
  sql: Sql,
  seen: ReadonlyMap<string, number>,
): readonly D1PreparedStatement[] =>
  [...Map.groupBy(seen, ([host]) => shareOf(host))].map(([share, hosts]) => {
    const news = Object.fromEntries(hosts.map(([host, at]) => [host, Math.floor(at / 1000)]));
    const text = `
      INSERT INTO sighting (share, hosts) VALUES (?1, ?2)
      ON CONFLICT (share) DO UPDATE SET hosts = (
        SELECT json_group_object(key, value) FROM json_each(json_patch(hosts, excluded.hosts))
        WHERE EXISTS (SELECT 1 FROM identity WHERE host = key AND revoked_at IS NULL)
      )`;
    return sql.prepare(text).bind(share, JSON.stringify(news));
  });

const Seen = z.array(z.object({ host: Key, at: z.int() }));

/** Milliseconds since the Unix epoch, of those of these hosts that were ever seen. */
export async function readSightings(
  sql: Sql,
  hosts: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const asked = hosts.map((host) => [host, shareOf(host), `$."${host}"`]);
  const text = `
    SELECT h.value ->> 0 AS host, json_extract(s.hosts, h.value ->> 2) AS at
    FROM json_each(?1) AS h JOIN sighting s ON s.share = h.value ->> 1
    WHERE json_extract(s.hosts, h.value ->> 2) IS NOT NULL`;
  const { results } = await sql.prepare(text).bind(JSON.stringify(asked)).all();
  return new Map(Seen.parse(results).map(({ host, at }) => [host, at * 1000]));
}
