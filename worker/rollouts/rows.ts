/**
 * Rollouts as stored. Reads rows into the values of core/rollout and writes back what a step changed, and nothing
 * else. Lists travel as JSON in one parameter, because D1 binds at most 100 a statement.
 */
import type { D1PreparedStatement } from "@cloudflare/workers-types";
import { and, asc, desc, eq, inArray, lt, notInArray, sql as raw } from "drizzle-orm";
import * as z from "zod";
import { Gates, HostProgress, Phase, RolloutStatus, Strategy } from "#schema/rollout.ts";
import { approval, rollout, rolloutHost } from "#worker/db/tables/index.ts";
import { AgentState } from "#schema/wire.ts";
import type { Sql } from "#worker/ports/index.ts";
import type { Entry, RolloutState } from "#core/rollout/state.ts";
import { db, toStatement } from "#worker/db/drizzle.ts";
import { inList, splitChunks } from "#worker/db/lists.ts";

const json = <T extends z.ZodType>(schema: T) =>
  z.string().transform((text) => schema.parse(JSON.parse(text)));

const Row = z.object({
  id: z.int(),
  revision: z.int(),
  at: z.int(),
  by: z.string(),
  on_behalf_of: z.string().nullable(),
  note: z.string(),
  strategy: json(Strategy),
  gates: json(Gates),
  emergency: z.int().transform((value) => value === 1),
  waves_sha256: z.string(),
  status: RolloutStatus,
  reason: z.string(),
  paused_by: z.enum(["evidence", "person"]).nullable(),
  phase: Phase,
  wave: z.int(),
  wave_started_at: z.int().nullable(),
  superseded_by: z.int().nullable(),
});
/** Times in milliseconds since the Unix epoch. */
export type RolloutRow = z.infer<typeof Row>;

const HostRow = z.object({
  host: z.string(),
  phase: Phase,
  wave: z.int(),
  standing: HostProgress,
  seq: z.int().nullable(),
  assigned_at: z.int().nullable(),
  settled_at: z.int().nullable(),
  heard_at: z.int().nullable(),
  baseline: z.number().nullable(),
  detail: z.string(),
  affirmed_at: z.int().nullable(),
  aside: HostProgress.extract(["shown", "apart"]).nullable(),
  state_before: AgentState.nullable(),
});

export interface StoredRollout {
  readonly row: RolloutRow;
  readonly state: RolloutState;
}

/** By phase, wave and name. @param only hosts whose entries are wanted; all when left out */
export async function findRollout(
  sql: Sql,
  id: number,
  only?: readonly string[],
): Promise<StoredRollout | undefined> {
  // Both phases are named, so that each of these rows is looked up by its whole key.
  const wanted =
    only === undefined
      ? undefined
      : and(
          inArray(rolloutHost.phase, [...Phase.options]),
          inArray(rolloutHost.host, inList(only)),
        );

  const [rows, entries, approvals] = await sql.batch([
    toStatement(sql, db(sql).select().from(rollout).where(eq(rollout.id, id))),
    toStatement(
      sql,
      db(sql)
        .select()
        .from(rolloutHost)
        .where(and(eq(rolloutHost.rollout, id), wanted))
        .orderBy(asc(rolloutHost.phase), asc(rolloutHost.wave), asc(rolloutHost.host)),
    ),
    toStatement(
      sql,
      db(sql).select().from(approval).where(eq(approval.rollout, id)).orderBy(asc(approval.at)),
    ),
  ]);
  const [row] = z.array(Row).parse(rows?.results);
  if (row === undefined) return undefined;
  const principals = z.array(z.object({ principal: z.string() })).parse(approvals?.results);
  const state: RolloutState = {
    status: row.status,
    reason: row.reason,
    pausedBy: row.paused_by,
    emergency: row.emergency,
    gates: row.gates,
    phase: row.phase,
    wave: row.wave,
    waveStartedAt: row.wave_started_at,
    entries: z.array(HostRow).parse(entries?.results).map(entryOf),
    approvals: principals.map(({ principal }) => principal),
  };
  return { row, state };
}

const entryOf = ({ host, phase, wave, seq, detail, ...row }: z.infer<typeof HostRow>): Entry => ({
  host,
  phase,
  wave,
  standing: row.aside ?? row.standing,
  seq,
  assignedAt: row.assigned_at,
  settledAt: row.settled_at,
  affirmedAt: row.affirmed_at,
  lastReportAt: row.heard_at,
  stateBefore: row.state_before,
  baseline: row.baseline,
  detail,
});

/** The standings that the column's CHECK does not know; a row of one says `skipped` there. */
const asideOf = ({ standing }: Entry): "shown" | "apart" | null =>
  standing === "shown" || standing === "apart" ? standing : null;

const over = ["completed", "superseded"] as const satisfies readonly RolloutStatus[];

/** Ids of the rollouts that are not over, rising. */
export async function openRollouts(sql: Sql): Promise<readonly number[]> {
  const rows = await db(sql)
    .select({ id: rollout.id })
    .from(rollout)
    .where(notInArray(rollout.status, [...over]))
    .orderBy(asc(rollout.id));
  return rows.map(({ id }) => id);
}

export interface RolloutsPage {
  readonly before: number | undefined;
  readonly status: RolloutStatus | undefined;
  readonly limit: number;
}

/** Ids of rollouts, newest first, from the one before `before`. */
export async function listRollouts(
  sql: Sql,
  { before, status, limit }: RolloutsPage,
): Promise<readonly number[]> {
  const rows = await db(sql)
    .select({ id: rollout.id })
    .from(rollout)
    .where(
      and(
        before === undefined ? undefined : lt(rollout.id, before),
        status === undefined ? undefined : eq(rollout.status, status),
      ),
    )
    .orderBy(desc(rollout.id))
    .limit(limit);
  return rows.map(({ id }) => id);
}

/** Id that the next rollout gets. */
export async function readNextRollout(sql: Sql): Promise<number> {
  const [last] = await db(sql)
    .select({ id: rollout.id })
    .from(rollout)
    .orderBy(desc(rollout.id))
    .limit(1);
  return (last?.id ?? 0) + 1;
}

const OpenEntry = z.object({
  ...HostRow.shape,
  rollout: z.int(),
  gates: json(Gates),
  current_wave: z.int(),
  others: z.int(),
});

/** A host in the phase that an open rollout is in, with what it was given there. */
export interface OpenEntry {
  readonly rollout: number;
  readonly entry: Entry;
  readonly place: Pick<RolloutState, "gates" | "phase" | "wave">;
  /** It waits for other hosts besides. */
  readonly awaitsOthers: boolean;
}

/** Where open rollouts judge this host, the oldest first. */
export async function listOpenEntries(sql: Sql, host: string): Promise<readonly OpenEntry[]> {
  const text = `SELECT e.*, r.gates, r.wave AS current_wave,
        EXISTS (SELECT 1 FROM rollout_host o WHERE o.rollout = e.rollout AND o.phase = e.phase
          AND o.standing = 'assigned' AND o.host <> e.host) AS others
      FROM rollout r
      CROSS JOIN rollout_host e ON e.rollout = r.id AND e.phase = r.phase AND e.host = ?1
      WHERE r.status NOT IN ('completed', 'superseded') AND e.assigned_at IS NOT NULL
      ORDER BY r.id`;
  const { results } = await sql.prepare(text).bind(host).all();
  return z
    .array(OpenEntry)
    .parse(results)
    .map(({ rollout: id, gates, current_wave: wave, others, ...row }) => ({
      rollout: id,
      entry: entryOf(row),
      place: { gates, phase: row.phase, wave },
      awaitsOthers: others === 1,
    }));
}

export function insertRollout(
  sql: Sql,
  row: RolloutRow,
  state: RolloutState,
): readonly D1PreparedStatement[] {
  const { strategy, gates, emergency, ...plain } = row;
  const values = {
    ...plain,
    strategy: JSON.stringify(strategy),
    gates: JSON.stringify(gates),
    emergency: emergency ? 1 : 0,
  };
  const text = `INSERT INTO rollout_host (rollout, phase, host, wave, standing, detail)
      SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4
      FROM json_each(?2)`;
  const entries = state.entries.map(({ phase, host, wave, standing, detail }) => [
    phase,
    host,
    wave,
    standing,
    detail,
  ]);
  return [
    toStatement(sql, db(sql).insert(rollout).values(values)),
    ...splitChunks(entries).map((part) => sql.prepare(text).bind(row.id, part)),
    ...approve(sql, row.id, row.at, state.approvals),
  ];
}

const approve = (
  sql: Sql,
  id: number,
  at: number,
  principals: readonly string[],
): readonly D1PreparedStatement[] =>
  principals.map((principal) =>
    toStatement(sql, db(sql).insert(approval).values({ rollout: id, principal, at })),
  );

/** Writes what differs between two states of one rollout. @param at milliseconds since the Unix epoch */
export function updateRollout(
  sql: Sql,
  id: number,
  {
    before,
    after,
    at,
  }: { readonly before: RolloutState; readonly after: RolloutState; readonly at: number },
  supersededBy: number | null = null,
): readonly D1PreparedStatement[] {
  const {
    status,
    reason,
    pausedBy: paused_by,
    phase,
    wave,
    waveStartedAt: wave_started_at,
  } = after;
  const known = new Set(before.entries);
  const entries = after.entries.filter((entry) => !known.has(entry));
  const text = `UPDATE rollout_host
      SET standing = n.value ->> 2, seq = n.value ->> 3, assigned_at = n.value ->> 4,
        settled_at = n.value ->> 5, heard_at = n.value ->> 6, baseline = n.value ->> 7,
        detail = n.value ->> 8, affirmed_at = n.value ->> 9, state_before = n.value ->> 11,
        aside = n.value ->> 12
      FROM json_each(?1) AS n
      WHERE rollout = n.value ->> 10
        AND phase = n.value ->> 0
        AND rollout_host.host = n.value ->> 1`;
  const values = entries.map((entry) => [
    entry.phase,
    entry.host,
    asideOf(entry) === null ? entry.standing : "skipped",
    entry.seq,
    entry.assignedAt,
    entry.settledAt,
    entry.lastReportAt,
    entry.baseline,
    entry.detail,
    entry.affirmedAt,
    // Within the list, so that SQLite looks each row up by its whole key and never reads all of a rollout for each.
    id,
    entry.stateBefore,
    asideOf(entry),
  ]);
  const superseded = supersededBy === null ? {} : { superseded_by: supersededBy };
  return [
    toStatement(
      sql,
      db(sql)
        .update(rollout)
        .set({ status, reason, paused_by, phase, wave, wave_started_at, ...superseded })
        .where(eq(rollout.id, id)),
    ),
    ...splitChunks(values).map((part) => sql.prepare(text).bind(part)),
    ...approve(
      sql,
      id,
      at,
      after.approvals.filter((principal) => !before.approvals.includes(principal)),
    ),
  ];
}

/** After `cursor`, which is `host phase`; of the rest, undefined means any. */
export interface EntriesPage {
  readonly cursor: string;
  readonly limit: number;
  readonly standing?: HostProgress | undefined;
  readonly phase?: Phase | undefined;
  readonly wave?: number | undefined;
}

/** Hosts of a rollout by name and phase. */
export async function readHostPage(
  sql: Sql,
  id: number,
  { cursor, limit, standing, wave, phase: only }: EntriesPage,
): Promise<readonly Entry[]> {
  const [host = "", phase = ""] = cursor.split(" ");
  const rows = await db(sql)
    .select()
    .from(rolloutHost)
    .where(
      and(
        eq(rolloutHost.rollout, id),
        raw`(${rolloutHost.host}, ${rolloutHost.phase}) > (${host}, ${phase})`,
        standing === undefined
          ? undefined
          : raw`coalesce(${rolloutHost.aside}, ${rolloutHost.standing}) = ${standing}`,
        only === undefined ? undefined : eq(rolloutHost.phase, only),
        wave === undefined ? undefined : eq(rolloutHost.wave, wave),
      ),
    )
    .orderBy(asc(rolloutHost.host), asc(rolloutHost.phase))
    .limit(limit);
  return z.array(HostRow).parse(rows).map(entryOf);
}

/** Ids of open rollouts that one of these hosts stands in. */
export async function openRolloutsOf(
  sql: Sql,
  hosts: readonly string[],
): Promise<readonly number[]> {
  const rows = await db(sql)
    .selectDistinct({ id: rollout.id })
    .from(rollout)
    .innerJoin(rolloutHost, eq(rolloutHost.rollout, rollout.id))
    .where(and(notInArray(rollout.status, [...over]), inArray(rolloutHost.host, inList(hosts))))
    .orderBy(asc(rollout.id));
  return rows.map(({ id }) => id);
}
