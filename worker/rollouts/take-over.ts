/** How a rollout takes hosts over from others that are open, as statements of the batch in which it does. */
import type { D1PreparedStatement } from "@cloudflare/workers-types";
import type { Ports } from "#worker/ports/index.ts";
import { Refused } from "#worker/lib/refused.ts";
import { step } from "#core/rollout/index.ts";
import { forget } from "#worker/served/index.ts";
import { findRollout, openRolloutsOf, updateRollout } from "./rows.ts";

export interface Taken {
  /** Rollouts that it took hosts from. */
  readonly rollouts: readonly number[];
  readonly statements: readonly D1PreparedStatement[];
}

export const nothingTaken: Taken = { rollouts: [], statements: [] };

/** One open rollout a host: what another one has not finished becomes this one's. @throws Refused `conflict` while one of them rolls back */
export async function takeOver(
  { sql, clock }: Ports,
  by: number,
  hosts: readonly string[],
): Promise<Taken> {
  const statements: D1PreparedStatement[] = [];
  const rollouts: number[] = [];
  for (const id of await openRolloutsOf(sql, hosts)) {
    if (id === by) continue;
    const older = await findRollout(sql, id);
    if (older === undefined) continue;
    const outcome = step(older.state, { kind: "supersede", by, hosts }, clock.now());
    if ("refused" in outcome)
      throw new Refused("conflict", { detail: `Rollout ${id} ${outcome.refused}.` });
    const { state } = outcome;
    if (state === older.state) continue;
    rollouts.push(id);
    const change = { before: older.state, after: state, at: clock.now() };
    statements.push(...updateRollout(sql, id, change, state.status === "superseded" ? by : null));
    const committed = state.entries.filter(
      ({ phase, standing }) => phase === "widen" && standing === "committed",
    );
    if (state.status === "superseded" && committed.length > 0)
      statements.push(
        forget(
          sql,
          older.row.revision,
          committed.map(({ host }) => host),
        ),
      );
  }
  return { rollouts, statements };
}
