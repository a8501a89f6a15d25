/**
 * Whether the store still says what was decided: the chain of audit rows link by link, and for each commit the rows of its
 * revision against the digest that its audit row bears. Whoever can write the database past its triggers can still not
 * make a chain that anybody who kept a hash of it would take for the same.
 */
import * as z from "zod";
import type { AuditVerified } from "#schema/api/service.ts";
import { Sha256 } from "#schema/primitives.ts";
import { auditLink, type AuditRow, chainStart, verifyPart } from "#worker/db/audit.ts";
import { findRevision, digestRows, readLatestRevisionOfRows } from "#worker/intent/index.ts";
import type { Sql } from "#worker/ports/index.ts";

/** Links of one request; a commit among them may read as many rows as a commit may change. */
const linksMax = 100;

/** @param after verified up to this link already; 0 begins at the first */
export async function verifyAudit(sql: Sql, after = 0): Promise<AuditVerified> {
  const head = after === 0 ? chainStart : await auditLink(sql, after);
  if (head === undefined) return broken(after, "expected a row with this seq", 0);
  const { verdict, rows } = await verifyPart(sql, head, linksMax);
  if (!verdict.ok) return broken(verdict.seq, verdict.message, 0);
  let unproven = 0;
  for (const row of rows) {
    const proof = await proveRows(sql, row);
    if (proof === "unproven") unproven += 1;
    if (proof === "other")
      return broken(row.seq, `expected other rows of revision ${row.revision}`, unproven);
  }
  if (rows.length === linksMax)
    return {
      ...sound,
      seq: verdict.seq,
      hash: verdict.hash,
      unproven,
      next_cursor: String(verdict.seq),
    };
  const revisions = await readLatestRevisionOfRows(sql);
  if (revisions.ofRows > revisions.head)
    return broken(verdict.seq, `expected no rows of revision ${revisions.ofRows}`, unproven);
  return { ...sound, seq: verdict.seq, hash: verdict.hash, unproven };
}

const sound = { ok: true, message: null, next_cursor: null } as const;

const broken = (seq: number, message: string, unproven: number): AuditVerified => ({
  ok: false,
  seq,
  hash: null,
  message,
  unproven,
  next_cursor: null,
});

const Body = z.object({ rows_sha256: Sha256.optional() });

/** `unproven`: a commit of before rows were digested. */
async function proveRows(sql: Sql, row: AuditRow): Promise<"proven" | "unproven" | "other"> {
  if (row.action !== "commit" || row.revision === null) return "proven";
  const said = Body.parse(JSON.parse(row.body)).rows_sha256;
  if (said === undefined) return "unproven";
  const found = await findRevision(sql, row.revision);
  if (found === undefined) return "other";
  const { n } = found.revision;
  const opened = found.rows.filter(({ from_revision }) => from_revision === n);
  const closed = found.rows.filter(({ to_revision }) => to_revision === n);
  return said === (await digestRows({ closed, opened })) ? "proven" : "other";
}
