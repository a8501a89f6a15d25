/** Keys for a whole fleet at once, as if each host had used an invitation of its own. Nobody can prove such a key. */
import type { D1PreparedStatement } from "@cloudflare/workers-types";
import type { Sql } from "#worker/ports/index.ts";

/** The invitation that a host of `insertKeys` used, for `mint`. */
export const invitationOf = (host: string): string => `of-${host}`;

export const insertKeys = (sql: Sql, hosts: readonly string[]): readonly D1PreparedStatement[] => [
  sql
    .prepare(
      `INSERT INTO enrolment (id, host, sha256, created_at, created_by, expires_at, used_at)
       SELECT 'of-' || value, value, printf('%064d', key), 0, 'test', 1, 0 FROM json_each(?1)`,
    )
    .bind(JSON.stringify(hosts)),
  sql
    .prepare(
      `INSERT INTO identity (host, public_key, enrolled_at, enrolment, generation)
       SELECT value, 'none', 0, 'of-' || value, (SELECT generation FROM fleet) FROM json_each(?1)`,
    )
    .bind(JSON.stringify(hosts)),
];
