/**
 * Whether the minute has to check a rollout at all. A full check reads all of its hosts and what they said last; between
 * two of them only what was reported meanwhile is read. Decides nothing: where there may be news, the step is asked.
 */
import type { Ports } from "#worker/ports/index.ts";
import { type Evidence, isNews, findQuietEnd, type RolloutState } from "#core/rollout/index.ts";
import { readEvidence } from "#worker/reports/index.ts";
import { listReportedSince, readDueCheck, writeDueCheck } from "./due-rows.ts";
import { findRollout } from "./rows.ts";

/** Milliseconds that a report may need from being received to its row: what came so shortly before a check is read again. */
const onItsWay = 60_000;

/** True when neither time nor a report can have changed anything since the last full check. */
export async function isQuiet({ sql, clock }: Ports, id: number): Promise<boolean> {
  const now = clock.now();
  const check = await readDueCheck(sql, id);
  if (check === undefined || now >= check.quietUntil) return false;
  const reporting = await listReportedSince(sql, check.lookedAt - onItsWay);
  if (reporting.length === 0) return true;
  const stored = await findRollout(sql, id, reporting);
  if (stored === undefined) return true;
  const evidence = await readEvidence(
    sql,
    stored.state.entries.map(({ host }) => host),
  );
  if (isNews(stored.state, [...evidence.values()], now)) return false;
  await writeDueCheck(sql, id, { ...check, lookedAt: now });
  return true;
}

/** A full check that found nothing to do. @param audit seq of the chain's last row before it was read */
export const remember = (
  { sql }: Ports,
  id: number,
  { state, evidence, audit, at }: Seen,
): Promise<void> =>
  writeDueCheck(sql, id, { audit, lookedAt: at, quietUntil: findQuietEnd(state, evidence, at) });

export interface Seen {
  readonly state: RolloutState;
  readonly evidence: readonly Evidence[];
  readonly audit: number;
  /** Milliseconds since the Unix epoch, before it was read. */
  readonly at: number;
}
