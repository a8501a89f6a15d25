/** What a person does to a rollout: one audited transition, and then whatever follows from it by itself. */
import type { RolloutAction } from "#schema/rollout.ts";
import type { Ports } from "#worker/ports/index.ts";
import { kinOf } from "#worker/tokens/index.ts";
import { noRollout, Refused } from "#worker/lib/refused.ts";
import type { Input, RolloutState } from "#core/rollout/index.ts";
import { type Attempt, writeAudited, type Author, nameOf } from "#worker/db/audit.ts";
import { findRollout } from "./rows.ts";
import { advance, runTransition } from "./advance.ts";
import { takeOver } from "./take-over.ts";

export interface Said {
  readonly reason?: string | undefined;
  readonly on_behalf_of?: string | undefined;
}

/**
 * @param principal as authenticated; two that are of no one line approve an emergency
 * @throws Refused `not_found`; `bad_request` without the reason that all but halting and approving need; `conflict`
 * when the action does not fit where the rollout stands, `busy`
 */
export async function act(
  ports: Ports,
  author: Author,
  id: number,
  action: RolloutAction,
  { reason = "", on_behalf_of }: Said,
): Promise<void> {
  if (reason === "" && action !== "halt" && action !== "approve")
    throw new Refused("bad_request", {
      errors: [{ path: "/reason", code: "schema", message: `expected why, to ${action} it` }],
    });
  const principal = nameOf(author);
  const input: Input =
    action === "approve"
      ? { kind: action, by: principal }
      : { kind: action, by: principal, reason };
  const by = { author, onBehalfOf: on_behalf_of ?? null };
  await writeAudited(ports.sql, async (): Promise<Attempt<void>> => {
    const stored = await findRollout(ports.sql, id);
    if (stored === undefined) throw new Refused("not_found", noRollout);
    const moved = await runTransition(ports, stored, input, stored.state, by);
    if ("refused" in moved) throw new Refused("conflict", { detail: sentence(moved.refused) });
    if (action === "approve") await refuseKin(ports, principal, stored.state.approvals);
    return action === "approve" && moved.write
      ? writeOvertaking(ports, id, stored.state, moved)
      : moved;
  });
  await advance(ports, id);
}

/** @throws Refused `conflict` when the approver may be one of those who approved already */
async function refuseKin(
  { sql }: Ports,
  principal: string,
  approvals: readonly string[],
): Promise<void> {
  const kin = await kinOf(sql, principal, approvals);
  if (kin === undefined) return;
  const detail = `${principal} and ${kin} are of one line: somebody else must approve it.`;
  throw new Refused("conflict", { detail });
}

/** An approved emergency takes its hosts over from every other rollout, in the batch that approves it. */
async function writeOvertaking(
  ports: Ports,
  id: number,
  state: RolloutState,
  moved: Written,
): Promise<Written> {
  const hosts = state.entries.flatMap(({ host, standing }) =>
    standing === "pending" ? [host] : [],
  );
  const { rollouts, statements } = await takeOver(ports, id, hosts);
  const entry = { ...moved.entry, body: { ...moved.entry.body, supersedes: rollouts } };
  return { ...moved, entry, statements: [...statements, ...moved.statements] };
}

type Written = Extract<Attempt<undefined>, { readonly write: true }>;

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
