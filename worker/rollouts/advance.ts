/**
 * One transition of a rollout: read, step, and write the new state with its effects and its audit row in one batch.
 * A transition that another one overtook is tried again on what that one left, so that repeated and late calls change
 * nothing. Must hold no state of its own: everything is in the rows.
 */
import type { Ports } from "#worker/ports/index.ts";
import {
  type Effect,
  type Evidence,
  type Input,
  type RolloutState,
  step,
} from "#core/rollout/index.ts";
import type { Entry } from "#core/rollout/state.ts";
import {
  type Attempt,
  type AuditAction,
  writeAudited,
  auditHead,
  type Author,
} from "#worker/db/audit.ts";
import { readEvidence } from "#worker/reports/index.ts";
import { suspectedOf } from "#worker/hosts/index.ts";
import { forget, readPinned } from "#worker/served/index.ts";
import { findRollout, type StoredRollout, updateRollout } from "./rows.ts";
import { execute, Uncompilable } from "./effects.ts";
import { isQuiet, remember, type Seen } from "./due.ts";

/** Who moves a rollout on when nobody does. */
const itself = "portcullis";

/** Brings a rollout to where time and the newest reports of its hosts lead. A rollout that is over stays. */
export async function advance(ports: Ports, id: number): Promise<void> {
  const seen = await writeAudited(ports.sql, async (): Promise<Attempt<Seen | undefined>> => {
    const [{ seq: audit }, at] = [await auditHead(ports.sql), ports.clock.now()];
    const stored = await findRollout(ports.sql, id);
    if (stored === undefined) return { write: false, result: undefined };
    const state = await passBy(ports, stored.state);
    const evidence = [...(await readEvidence(ports.sql, listExposed(state))).values()];
    const moved = await runTransition(
      ports,
      { ...stored, state },
      { kind: "evidence", evidence },
      stored.state,
    );
    if ("refused" in moved) return { write: false, result: undefined };
    return moved.write ? moved : { write: false, result: { state, evidence, audit, at } };
  });
  if (seen !== undefined) await remember(ports, id, seen);
}

/** The same where there may be news. */
export async function advanceIfNews(ports: Ports, id: number): Promise<void> {
  if (!(await isQuiet(ports, id))) await advance(ports, id);
}

const listExposed = ({ entries, phase }: RolloutState): readonly string[] =>
  entries
    .filter((entry) => entry.phase === phase && entry.assignedAt !== null)
    .map(({ host }) => host);

/**
 * Hosts that were pinned after the start are passed by, and nothing is widened on one whose key two agents use. What
 * such a host must lose it is told to lose all the same; its standing says then that it has failed.
 */
async function passBy({ sql }: Ports, state: RolloutState): Promise<RolloutState> {
  const pending = state.entries.filter(({ standing }) => standing === "pending");
  if (pending.length === 0) return state;
  const pinned = await readPinned(sql);
  const cloned = await suspectedOf(
    sql,
    pending.map(({ host }) => host),
  );
  const describeCause = ({ host, phase, standing }: Entry): string | undefined => {
    if (standing !== "pending") return undefined;
    if (pinned.has(host)) return "pinned";
    return phase === "widen" && cloned.has(host) ? "two agents report under its key" : undefined;
  };
  if (!pending.some((entry) => describeCause(entry) !== undefined)) return state;
  const entries = state.entries.map((entry): Entry => {
    const detail = describeCause(entry);
    return detail === undefined ? entry : { ...entry, standing: "skipped", detail };
  });
  return { ...state, entries };
}

export interface Refusal {
  readonly refused: string;
}

interface Speaker {
  readonly author: Author;
  readonly onBehalfOf: string | null;
}

/** @param before the state as it is stored, where `stored.state` differs from it already */
export async function runTransition(
  ports: Ports,
  stored: StoredRollout,
  input: Input,
  before: RolloutState = stored.state,
  by: Speaker = { author: itself, onBehalfOf: null },
): Promise<
  | Extract<Attempt<undefined>, { write: true }>
  | { readonly write: false; readonly result: undefined }
  | Refusal
> {
  const now = ports.clock.now();
  const { id, revision } = stored.row;
  const outcome = await stepRollout(ports, stored, input, now);
  if ("refused" in outcome) return outcome;
  const { state, effects, executed } = outcome;
  if (state === before) return { write: false, result: undefined };
  const after = await fillWave(ports, state, effects, executed.seqs);
  const ends = state.status === "completed" || state.status === "superseded";
  const done = after.entries.filter(
    ({ standing }) => ends && (state.status === "completed" || standing === "committed"),
  );
  const supersededBy =
    input.kind === "supersede" && state.status === "superseded" ? input.by : null;
  return {
    write: true,
    result: undefined,
    statements: [
      ...executed.statements,
      ...updateRollout(ports.sql, id, { before, after, at: now }, supersededBy),
      ...(done.length === 0
        ? []
        : [
            forget(
              ports.sql,
              revision,
              done.filter(isReleased).map(({ host }) => host),
            ),
          ]),
    ],
    entry: {
      at: now,
      actor: by.author,
      on_behalf_of: by.onBehalfOf,
      action: actionOf(input, before, after),
      revision: null,
      body: {
        rollout: id,
        status: after.status,
        reason: after.reason,
        phase: after.phase,
        wave: after.wave,
        effects: effects.map(({ kind, hosts }) => ({ kind, hosts: [...hosts] })),
      },
    },
  };
}

const isReleased = ({ phase, assignedAt }: Entry): boolean =>
  phase === "widen" && assignedAt !== null;

/** A step whose assignment does not compile any more pauses instead, and says why. */
async function stepRollout(ports: Ports, { row, state }: StoredRollout, input: Input, now: number) {
  const outcome = step(state, input, now);
  if ("refused" in outcome) return outcome;
  try {
    return { ...outcome, executed: await execute(ports, row.revision, outcome.effects) };
  } catch (error) {
    if (!(error instanceof Uncompilable)) throw error;
    const reason = `it does not compile for hosts that lack what is withheld: ${error.message}`;
    const paused = step(state, { kind: "pause", by: itself, reason: reason.slice(0, 500) }, now);
    if ("refused" in paused || state.status === "paused") return { refused: reason };
    return { ...paused, executed: await execute(ports, row.revision, paused.effects) };
  }
}

/** What only the store knows of an assignment: the seq that was given, and how the host was before. */
async function fillWave(
  { sql }: Ports,
  state: RolloutState,
  effects: readonly Effect[],
  seqs: ReadonlyMap<string, number>,
): Promise<RolloutState> {
  const given = new Map(
    effects.flatMap((effect) => {
      if (effect.kind !== "assign" && effect.kind !== "narrow") return [];
      const phase = effect.kind === "assign" ? effect.phase : "widen";
      return effect.hosts.map((host) => [`${phase} ${host}`, host] as const);
    }),
  );
  if (given.size === 0) return state;
  const before: ReadonlyMap<string, Evidence> = await readEvidence(sql, [
    ...new Set(given.values()),
  ]);
  const entries = state.entries.map((entry): Entry => {
    if (entry.assignedAt === null || !given.has(`${entry.phase} ${entry.host}`)) return entry;
    const earlier = before.get(entry.host);
    return {
      ...entry,
      seq: seqs.get(entry.host) ?? null,
      lastReportAt: earlier?.receivedAt ?? null,
      stateBefore: earlier?.state ?? null,
      baseline: earlier?.denyRate ?? null,
    };
  });
  return { ...state, entries };
}

function actionOf(input: Input, before: RolloutState, after: RolloutState): AuditAction {
  if (input.kind !== "tick" && input.kind !== "evidence") return `rollout.${input.kind}`;
  if (before.status === after.status) return "rollout.advance";
  switch (after.status) {
    case "halted":
      return "rollout.halt";
    case "paused":
      return "rollout.pause";
    case "completed":
      return "rollout.complete";
    case "rolled_back":
      return "rollout.rollback";
    case "superseded":
      return "rollout.supersede";
    case "awaiting_approval":
    case "running":
      return "rollout.advance";
  }
}
