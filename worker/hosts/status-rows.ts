/** What is known of hosts: what they are served, who they are, and the last thing they said. One consistent read each. */
import { and, desc, eq, sql as raw } from "drizzle-orm";
import * as z from "zod";
import { refusalCodes } from "#schema/refusals.ts";
import { Guard } from "#schema/guard.ts";
import { identity, repository, report } from "#worker/db/tables/index.ts";
import { AgentState, Report } from "#schema/wire.ts";
import type { Sql } from "#worker/ports/index.ts";
import { db, toStatement } from "#worker/db/drizzle.ts";

const Served = z.object({
  seq: z.int(),
  revision: z.int(),
  bundle_sha256: z.string(),
  lease_issued_at: z.int(),
  lease_expires_at: z.int(),
});
const Identity = z.object({ enrolled_at: z.int(), revoked_at: z.int().nullable() });
const Stored = z.object({ received_at: z.int(), body: z.string() });

/** The last report `p` of host `h.value` under its present key, which is of identity `i`: what was said under another is not its word. */
const lastSaid = `p.host = h.value
      AND p.n = (SELECT max(n) FROM report WHERE host = h.value AND enrolment IS i.enrolment)`;

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
    toStatement(sql, db(sql).select(served).from(repository).where(eq(repository.host, host))),
    toStatement(sql, db(sql).select(who).from(identity).where(eq(identity.host, host))),
    toStatement(
      sql,
      db(sql)
        .select(said)
        .from(report)
        .where(and(eq(report.host, host), raw`${report.enrolment} IS ${enrolmentOf(host)}`))
        .orderBy(desc(report.n))
        .limit(1),
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

const enrolmentOf = (host: string) => raw`(SELECT enrolment FROM identity WHERE host = ${host})`;

const Guarded = z.object({ host: z.string(), guard: z.string() });

/** The guard in the last report of each of these hosts, by host; those that reported none are left out. */
export async function readGuards(
  sql: Sql,
  hosts: readonly string[],
): Promise<ReadonlyMap<string, Guard>> {
  const text = `SELECT p.host, p.body ->> '$.guard' AS guard
    FROM json_each(?1) AS h
    LEFT JOIN identity i ON i.host = h.value
    JOIN report p ON ${lastSaid}
    WHERE p.body ->> '$.guard' IS NOT NULL`;
  const { results } = await sql.prepare(text).bind(JSON.stringify(hosts)).all();
  return new Map(
    z
      .array(Guarded)
      .parse(results)
      .map(({ host, guard }) => [host, Guard.parse(JSON.parse(guard))]),
  );
}

const HostStatusRow = z.object({
  host: z.string(),
  seq: z.int().nullable(),
  revision: z.int().nullable(),
  bundle_sha256: z.string().nullable(),
  lease_issued_at: z.int().nullable(),
  lease_expires_at: z.int().nullable(),
  snapshot_expires_at: z.int().nullable(),
  targets_expires_at: z.int().nullable(),
  /** When those targets were signed. */
  targets_issued_at: z.int().nullable(),
  enrolled_at: z.int().nullable(),
  revoked_at: z.int().nullable(),
  suspected_at: z.int().nullable(),
  last_report_at: z.int().nullable(),
  /** End of the timestamp that it held as it reported. */
  held_lease_expires_at: z.int().nullable(),
  state: AgentState.nullable(),
  applied_seq: z.int().nullable(),
  applied_revision: z.int().nullable(),
  applied_bundle_sha256: z.string().nullable(),
  refusal: z.enum(refusalCodes).nullable(),
  undeclared: z.int().nullable(),
  silent: z.int().nullable(),
  /** Declared ones that its last report does not have, as a JSON list; null where it does not say, or not all. */
  missing_addresses: z.string().nullable(),
  /** Why a person keeps it where it is. */
  pinned: z.string().nullable(),
  /** Revisions that it does not have yet. */
  withheld: z.int(),
});
/** Where a host stands, without its counters. Times in milliseconds since the Unix epoch. */
export type HostStatusRow = z.infer<typeof HostStatusRow>;

/** A report that has this many may have left some out. */
const addressesReportedMax = 256;

/** Where each of these hosts stands, by host; the reports' bodies, which are long, stay in the database. */
export async function readHostStatuses(
  sql: Sql,
  hosts: readonly string[],
): Promise<ReadonlyMap<string, HostStatusRow>> {
  const text = `
    SELECT h.value AS host,
      r.seq, r.revision, r.bundle_sha256, r.lease_issued_at, r.lease_expires_at,
      r.snapshot_expires_at, r.targets_expires_at,
      1000 * unixepoch(r.targets ->> '$.signed.targets."bundle.json".custom.issued')
        AS targets_issued_at,
      i.enrolled_at, i.revoked_at, i.suspected_at,
      p.received_at AS last_report_at,
      (SELECT 1000 * unixepoch(e.value ->> '$.expires_at') FROM json_each(p.body, '$.expires') AS e
       WHERE e.value ->> '$.role' = 'timestamp') AS held_lease_expires_at,
      p.body ->> '$.state' AS state, p.body ->> '$.refusal.code' AS refusal,
      p.body ->> '$.applied.seq' AS applied_seq,
      p.body ->> '$.applied.revision' AS applied_revision,
      p.body ->> '$.applied.bundle_sha256' AS applied_bundle_sha256,
      json_array_length(p.body, '$.listening.undeclared.entries') +
        (p.body ->> '$.listening.undeclared.more') AS undeclared,
      json_array_length(p.body, '$.listening.silent.entries') +
        (p.body ->> '$.listening.silent.more') AS silent,
      CASE WHEN json_array_length(p.body, '$.addresses') < ${addressesReportedMax} THEN (
        SELECT json_group_array(a.value) FROM json_each(d.body, '$.addresses') AS a
        WHERE a.value NOT IN (SELECT value FROM json_each(p.body, '$.addresses'))
      ) END AS missing_addresses,
      (SELECT reason FROM pin WHERE host = h.value) AS pinned,
      (SELECT count(*) FROM withheld WHERE host = h.value AND level <> 'released') AS withheld
    FROM json_each(?1) AS h
    LEFT JOIN intent d ON d.kind = 'host' AND d.key = h.value AND d.to_revision IS NULL
    LEFT JOIN repository r ON r.host = h.value
    LEFT JOIN identity i ON i.host = h.value
    LEFT JOIN report p ON ${lastSaid}`;
  const { results } = await sql.prepare(text).bind(JSON.stringify(hosts)).all();
  return new Map(
    z
      .array(HostStatusRow)
      .parse(results)
      .map((status) => [status.host, status]),
  );
}

const Expiries = z.object({
  root: z.int().nullable(),
  targets: z.int().nullable(),
  snapshot: z.int().nullable(),
  timestamp: z.int().nullable(),
  pending: z.int(),
});

/** The soonest end of each role's metadata, milliseconds since the Unix epoch or null, and how many targets wait. */
export async function readExpiries(sql: Sql) {
  const text = `SELECT
        (SELECT 1000 * unixepoch(body ->> '$.signed.expires') FROM root
          ORDER BY version DESC LIMIT 1) AS root,
        (SELECT min(targets_expires_at) FROM repository) AS targets,
        (SELECT min(snapshot_expires_at) FROM repository) AS snapshot,
        (SELECT min(lease_expires_at) FROM repository) AS timestamp,
        (SELECT count(*) FROM pending) AS pending`;
  return Expiries.parse(await sql.prepare(text).first());
}
