/** What is known of one host: what it is served, who it is, and the last thing it said. One consistent read. */
import { desc, eq } from "drizzle-orm";
import * as z from "zod";
import { identity, repository, report } from "#schema/tables/index.ts";
import { Report } from "#schema/wire.ts";
import type { Sql } from "../ports.ts";
import { db, statement } from "./db.ts";

const Served = z.object({
  seq: z.int(),
  revision: z.int(),
  bundle_sha256: z.string(),
  lease_issued_at: z.int(),
  lease_expires_at: z.int(),
});
const Identity = z.object({ enrolled_at: z.int(), revoked_at: z.int().nullable() });
const Stored = z.object({ received_at: z.int(), body: z.string() });

/** Times in milliseconds since the Unix epoch. */
export interface HostStatus {
  readonly served: z.infer<typeof Served> | undefined;
  readonly identity: z.infer<typeof Identity> | undefined;
  readonly report: { readonly received_at: number; readonly body: Report } | undefined;
}

export async function readHostStatus(sql: Sql, host: string): Promise<HostStatus> {
  const { seq, revision, bundle_sha256, lease_issued_at, lease_expires_at } = repository;
  const served = { seq, revision, bundle_sha256, lease_issued_at, lease_expires_at };
  const who = { enrolled_at: identity.enrolled_at, revoked_at: identity.revoked_at };
  const said = { received_at: report.received_at, body: report.body };
  const results = await sql.batch([
    statement(sql, db(sql).select(served).from(repository).where(eq(repository.host, host))),
    statement(sql, db(sql).select(who).from(identity).where(eq(identity.host, host))),
    statement(
      sql,
      db(sql).select(said).from(report).where(eq(report.host, host)).orderBy(desc(report.n)).limit(1),
    ),
  ]);
  const [repositories, identities, reports] = results.map((result) => result.results);
  const [last] = z.array(Stored).parse(reports);
  return {
    served: z.array(Served).parse(repositories)[0],
    identity: z.array(Identity).parse(identities)[0],
    report:
      last === undefined
        ? undefined
        : { received_at: last.received_at, body: Report.parse(JSON.parse(last.body)) },
  };
}
