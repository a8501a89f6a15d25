/**
 * Evidence for rollouts, from the newest two reports of each host: rates are differences, so one report says none.
 * What a report does not say stays unknown (null); nothing is taken for good news.
 */
import * as z from "zod";
import { encodeBundle } from "#schema/bundle.ts";
import { emptyRuleset } from "#schema/ruleset.ts";
import { hashText } from "#schema/sha256.ts";
import { refusalCodes } from "#schema/refusals.ts";
import { AgentState } from "#schema/wire.ts";
import type { Sql } from "#worker/ports/index.ts";
import type { Evidence } from "#core/rollout/index.ts";

const ReportRow = z.object({
  host: z.string(),
  received_at: z.int(),
  /** Unix seconds, by the host's own clock. */
  at: z.int(),
  boot_id: z.string(),
  state: AgentState,
  seq: z.int().nullable(),
  bundle_sha256: z.string().nullable(),
  program_sha256: z.string().nullable(),
  seen: z.int(),
  refusal: z.enum(refusalCodes).nullable(),
  /** 0: the agent does not say. */
  says_reverted: z.int(),
  reverted_seq: z.int().nullable(),
  drift: z.int().nullable(),
  drops: z.int().nullable(),
  suspected_at: z.int().nullable(),
  chained: z.int(),
});
type ReportRow = z.infer<typeof ReportRow>;

/** Of those hosts that ever reported under their present key. */
export async function readEvidence(
  sql: Sql,
  hosts: readonly string[],
): Promise<ReadonlyMap<string, Evidence>> {
  const text = `SELECT h.value AS host, p.received_at, unixepoch(p.body ->> '$.at') AS at,
        p.body ->> '$.boot_id' AS boot_id, p.body ->> '$.state' AS state,
        p.body ->> '$.applied.seq' AS seq, p.body ->> '$.applied.bundle_sha256' AS bundle_sha256,
        p.body ->> '$.applied.program_sha256' AS program_sha256,
        p.body ->> '$.seen.targets' AS seen,
        json_type(p.body, '$.reverted_seq') IS NOT NULL AS says_reverted,
        p.body ->> '$.reverted_seq' AS reverted_seq, p.body ->> '$.refusal.code' AS refusal,
        p.body ->> '$.drift.count' AS drift, p.body ->> '$.drops' AS drops, i.suspected_at,
        json_type(p.body, '$.prev') IS NOT NULL AS chained
      FROM json_each(?1) AS h
      LEFT JOIN identity i ON i.host = h.value
      JOIN report p ON p.host = h.value
        AND p.n IN (SELECT n FROM report WHERE host = h.value AND enrolment IS i.enrolment
          ORDER BY n DESC LIMIT 2)
      ORDER BY p.n DESC`;
  const { results } = await sql.prepare(text).bind(JSON.stringify(hosts)).all();
  return new Map(
    [...Map.groupBy(z.array(ReportRow).parse(results), ({ host }) => host)].flatMap(
      ([host, [newest, before]]): readonly [string, Evidence][] =>
        newest === undefined ? [] : [[host, evidenceOf(newest, before)]],
    ),
  );
}

/** Digest of the bundle that closes a host. */
const closed = hashText(new TextDecoder().decode(encodeBundle(emptyRuleset)));

const evidenceOf = (newest: ReportRow, before: ReportRow | undefined): Evidence => ({
  host: newest.host,
  receivedAt: newest.received_at,
  state: newest.state,
  appliedMode: newest.bundle_sha256 === closed ? "closed" : "enforce",
  appliedSeq: newest.seq,
  seenSeq: newest.seen,
  revertedSeq: newest.says_reverted === 1 ? newest.reverted_seq : undefined,
  refusal: newest.refusal,
  drift: countDriftSince(newest, before),
  denyRate: denyRate(newest, before),
  suspectedClone: newest.suspected_at !== null,
  heartbeats: newest.chained === 1,
});

/** The count is since the agent started: one that is lower than before began anew. */
function countDriftSince({ drift }: ReportRow, before: ReportRow | undefined): number {
  const [now, then] = [drift ?? 0, before?.drift ?? 0];
  return now >= then ? now - then : now;
}

/** Drops per second between two reports about one loaded table; any other pair has no common count. */
function denyRate(newest: ReportRow, before: ReportRow | undefined): number | null {
  if (before === undefined || newest.drops === null || before.drops === null) return null;
  const same = newest.boot_id === before.boot_id && newest.program_sha256 === before.program_sha256;
  const seconds = newest.at - before.at;
  if (!same || seconds <= 0 || newest.drops < before.drops) return null;
  return (newest.drops - before.drops) / seconds;
}
