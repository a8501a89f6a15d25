/**
 * One rollout as a pure step over its state. Total: every input has an answer in every status, and what does not fit
 * is refused in words. Relies on the store to write the state and do the effects in one batch.
 *
 * Invariants, held by test/property/rollout.test.ts: no host of a wave that was not reached is ever given anything;
 * halted and paused never grow; only evidence promotes; nothing widens before everything narrowed.
 */
import type { HostProgress, RolloutStatus } from "#schema/rollout.ts";
import { isExposed } from "./evidence.ts";
import { isWaiting, proceed } from "./progress.ts";
import {
  listRestoringEffects,
  hostsPerStep,
  isBad,
  isRollingBack,
  rollBack,
  type Stepped,
} from "./recall.ts";
import type { Entry, Input, RolloutState } from "./state.ts";

export interface Refused {
  /** For people: what does not fit. */
  readonly refused: string;
}

type Outcome = Stepped | Refused;
type InputOf<Kind extends Input["kind"]> = Extract<Input, { readonly kind: Kind }>;
type Spoken = Extract<Input, { readonly reason: string }>;

/**
 * The next state and what to do in the same batch. `state` itself comes back when nothing changed, and so does each
 * entry that did not. @param now milliseconds since the Unix epoch
 */
export function step(state: RolloutState, input: Input, now: number): Outcome {
  switch (input.kind) {
    case "tick":
      return proceed(state, [], now);
    case "evidence":
      return proceed(state, input.evidence, now);
    case "halt":
      return halt(state, input);
    case "pause":
      return (
        fits(state, ["running", "paused"]) ??
        just({ ...state, status: "paused", pausedBy: "person", reason: formatReason(input) })
      );
    case "resume":
    case "skip":
      return goOn(state, input);
    case "force":
      return force(state, input, now);
    case "rollback":
      return rollBackNow(state, input, now);
    case "approve":
      return approve(state, input, now);
    case "supersede":
      return supersede(state, input);
  }
}

const just = (state: RolloutState): Stepped => ({ state, effects: [] });

const formatReason = ({ kind, by, reason }: Spoken): string =>
  reason === "" ? `${kind} by ${by}` : `${kind} by ${by}: ${reason}`;

function fits(state: RolloutState, statuses: readonly RolloutStatus[]): Refused | undefined {
  if (!statuses.includes(state.status))
    return { refused: `it is ${state.status.replaceAll("_", " ")}` };
  return isRollingBack(state) ? { refused: "it is rolling back" } : undefined;
}

/** Halting is never refused while there is something to halt. */
function halt(state: RolloutState, input: Spoken): Outcome {
  if (state.status === "halted") return just(state);
  const refused = fits(state, ["awaiting_approval", "running", "paused"]);
  return refused ?? just({ ...state, status: "halted", reason: formatReason(input) });
}

/**
 * After a halt, a pause or a rollback. Hosts that did not commit have what they had before and, on `resume`, are tried
 * again; on `skip` they are left to a later rollout. What was rolled back starts over from the first wave.
 */
function goOn(state: RolloutState, input: Spoken): Outcome {
  const refused = fits(
    state,
    input.kind === "skip"
      ? ["running", "paused", "halted", "rolled_back"]
      : ["paused", "halted", "rolled_back"],
  );
  if (refused !== undefined) return refused;
  // A person's pause is not about hosts: those stand as they are.
  const retries = input.kind === "skip" || state.status !== "paused" || isWaiting(state);
  const isInTheWay = (entry: Entry): boolean =>
    retries && (entry.phase === state.phase || entry.assignedAt === null) && isBad(entry);
  const bad = state.entries.filter(isInTheWay);
  if (input.kind === "skip" && bad.length === 0) return { refused: "no host is in its way" };
  if (input.kind === "skip" && bad.some(({ phase }) => phase === "narrow"))
    return { refused: "hosts that must lose something are not skipped, only forced" };
  const exposed = bad.filter(isExposed).map(({ host }) => host);
  if (exposed.length > hostsPerStep)
    return { refused: `${exposed.length} hosts did not commit: roll it back first` };
  const detail = input.kind === "skip" ? formatReason(input) : "";
  const entries = state.entries.map((entry): Entry => {
    const again = { ...entry, seq: null, assignedAt: null, settledAt: null, affirmedAt: null };
    if (entry.standing === "rolled_back") return { ...again, standing: "pending", detail: "" };
    if (!isInTheWay(entry)) return entry;
    return { ...again, standing: input.kind === "skip" ? "skipped" : "pending", detail };
  });
  const effects = listRestoringEffects(state, exposed);
  return { state: { ...startOver({ ...state, entries }), ...live(state) }, effects };
}

/** Where a rollout that goes on stands. */
const live = ({ emergency, approvals }: RolloutState): Pick<RolloutState, "status" | "reason"> => ({
  status: emergency && approvals.length < 2 ? "awaiting_approval" : "running",
  reason: "",
});

/** When nobody has the new content any more, the first wave of the first phase is next. */
function startOver(state: RolloutState): RolloutState {
  if (state.status !== "rolled_back") return state;
  const narrows = state.entries.some(
    ({ phase, standing }) => phase === "narrow" && standing === "pending",
  );
  return { ...state, phase: narrows ? "narrow" : "widen", wave: 1, waveStartedAt: null };
}

/** In the first phase: goes on without hosts of the reached waves that have not committed. They stay narrowed. */
function force(state: RolloutState, input: Spoken, now: number): Outcome {
  const refused = fits(state, ["running", "paused"]);
  if (refused !== undefined) return refused;
  if (state.phase !== "narrow") return { refused: "nothing waits for a host to lose something" };
  const inTheWay = new Set<HostProgress>(["assigned", "apart", "superseded"]);
  const isInTheWay = (entry: Entry): boolean =>
    entry.phase === "narrow" &&
    entry.wave > 0 &&
    entry.wave <= state.wave &&
    (isBad(entry) || inTheWay.has(entry.standing));
  if (!state.entries.some(isInTheWay)) return { refused: "no host is in its way" };
  const entries = state.entries.map((entry): Entry => {
    if (!isInTheWay(entry)) return entry;
    const passed: Entry = {
      ...entry,
      standing: "skipped",
      settledAt: now,
      detail: formatReason(input),
    };
    return entry.standing === "superseded" ? { ...passed, assignedAt: null } : passed;
  });
  return just({ ...state, status: "running", reason: "", entries });
}

function rollBackNow(state: RolloutState, input: Spoken, now: number): Outcome {
  const refused = fits(state, ["awaiting_approval", "running", "paused", "halted"]);
  return refused ?? rollBack({ ...state, status: "halted", reason: formatReason(input) }, now);
}

function approve(state: RolloutState, { by }: InputOf<"approve">, now: number): Outcome {
  const refused = fits(state, ["awaiting_approval"]);
  if (refused !== undefined) return refused;
  if (state.approvals.includes(by)) return { refused: "somebody else must approve it" };
  const approved = { ...state, approvals: [...state.approvals, by] };
  return proceed({ ...approved, ...live(approved) }, [], now);
}

/** What it has not finished is the newer rollout's. Without open hosts it is over. */
function supersede(state: RolloutState, input: InputOf<"supersede">): Outcome {
  const refused = fits(state, ["awaiting_approval", "running", "paused", "halted", "rolled_back"]);
  if (refused !== undefined && state.status !== "halted") return refused;
  const taken = new Set(input.hosts);
  const detail = `taken over by rollout ${input.by}`;
  const hosts = new Set(
    state.entries
      .filter((entry) => taken.has(entry.host) && isUnfinished(entry))
      .map(({ host }) => host),
  );
  if (hosts.size === 0) return just(state);
  const entries = state.entries.map((entry): Entry =>
    hosts.has(entry.host) && isUnfinished(entry)
      ? { ...entry, standing: "superseded", detail }
      : entry,
  );
  if (entries.some(isUnfinished)) return just({ ...state, entries });
  return just({
    ...state,
    entries,
    status: "superseded",
    reason: `superseded by rollout ${input.by}`,
  });
}

const isUnfinished = ({ standing }: Entry): boolean =>
  standing !== "committed" &&
  standing !== "shown" &&
  standing !== "skipped" &&
  standing !== "superseded";
