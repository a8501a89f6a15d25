/** A rollout as people see it, from its rows alone. */
import type { HostProgress, Phase, RolloutView } from "#schema/rollout.ts";
import { RolloutView as View } from "#schema/rollout.ts";
import type { Sql } from "#worker/ports/index.ts";
import type { Entry, RolloutState } from "#core/rollout/state.ts";
import { findRollout, type StoredRollout } from "./rows.ts";

/** @returns undefined when there is none of this id */
export async function readRollout(sql: Sql, id: number): Promise<RolloutView | undefined> {
  const stored = await findRollout(sql, id);
  return stored === undefined ? undefined : viewOf(stored);
}

const shownMax = 100;

const viewOf = ({ row, state }: StoredRollout): RolloutView =>
  View.parse({
    id: row.id,
    revision: row.revision,
    status: state.status,
    reason: state.reason,
    emergency: state.emergency,
    strategy: row.strategy,
    gates: state.gates,
    phase: state.phase,
    wave: state.wave,
    waves_sha256: row.waves_sha256,
    waves: wavesOf(state.entries),
    bakes_until: findBakeEnd(state),
    created_at: iso(row.at),
    created_by: row.by,
    on_behalf_of: row.on_behalf_of,
    note: row.note,
    approved_by: [...state.approvals],
    superseded_by: row.superseded_by,
    attention: state.entries
      .filter(
        ({ standing, detail }) =>
          needsAttention[standing] || (isForetold(standing) && detail !== ""),
      )
      .slice(0, shownMax)
      .map(({ host, standing, detail }) => ({ host, standing, detail })),
  });

const isForetold = (standing: HostProgress): boolean =>
  standing === "skipped" || standing === "pending";

const needsAttention: Readonly<Record<HostProgress, boolean>> = {
  pending: false,
  assigned: true,
  committed: false,
  reverted: true,
  failed: true,
  unknown: true,
  shown: false,
  apart: true,
  skipped: false,
  rolled_back: false,
  superseded: false,
};

/** An assigned or pending host of the wave has its own time; what it waits for then is its answer. */
function findBakeEnd({ status, phase, wave, gates, entries }: RolloutState): string | null {
  const own = entries.filter((entry) => entry.phase === phase && entry.wave === wave);
  const commits = own.flatMap((entry) =>
    entry.standing === "committed" ? (entry.settledAt ?? []) : [],
  );
  const open = own.some(({ standing }) => standing === "pending" || standing === "assigned");
  if (status !== "running" || open || commits.length === 0) return null;
  return iso(commits.reduce((last, at) => Math.max(last, at)) + gates.bake_seconds * 1000);
}

const iso = (milliseconds: number): string => new Date(milliseconds).toISOString();

/** In the order they run; hosts that were skipped from the start are in none. */
function wavesOf(entries: readonly Entry[]): RolloutView["waves"] {
  const phases: readonly Phase[] = ["narrow", "widen"];
  return phases.flatMap((phase) => {
    const own = entries.filter((entry) => entry.phase === phase && entry.wave > 0);
    return [...Map.groupBy(own, ({ wave }) => wave)]
      .sort(([a], [b]) => a - b)
      .map(([n, hosts]) => {
        const starts = hosts.flatMap(({ assignedAt }) => assignedAt ?? []);
        const tally: Partial<Record<HostProgress, number>> = {};
        for (const { standing } of hosts) tally[standing] = (tally[standing] ?? 0) + 1;
        const started_at = starts.length === 0 ? null : iso(Math.min(...starts));
        return { phase, n, hosts: hosts.length, tally, started_at };
      });
  });
}
