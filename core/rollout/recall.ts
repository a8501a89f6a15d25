/**
 * Taking back: who gets old content again, and how the entries then stand. A host that took itself back keeps that
 * standing; its old content under a higher seq is a record there, not a load, and lets it be tried again later.
 */
import { isExposed, isGoingBack } from "./evidence.ts";
import type { Effect, Entry, RolloutState } from "./state.ts";

/** Hosts that one step may touch, so that a Worker's limits hold. */
export const hostsPerStep = 500;

export interface Stepped {
  readonly state: RolloutState;
  readonly effects: readonly Effect[];
}

const isTakenBack = ({ standing, assignedAt }: Entry): boolean => {
  switch (standing) {
    case "rolled_back":
      return true;
    case "reverted":
    case "failed":
    case "unknown":
      return assignedAt === null;
    case "pending":
    case "assigned":
    case "committed":
    case "shown":
    case "apart":
    case "skipped":
    case "superseded":
      return false;
  }
};

/** A rollback has begun, and some hosts still have the new content. */
export const isRollingBack = ({ status, entries }: RolloutState): boolean =>
  status === "halted" && entries.some(isTakenBack) && entries.some(isExposed);

/**
 * Gives the next hosts their old content; `rolled_back` when none is left that has the new one. What was widened goes
 * back to what the first phase had left it, and nothing further goes back before every such host holds that, or did not
 * answer in time: old rules on one host and new ones on another may together allow what neither intent does.
 */
export function rollBack(state: RolloutState, now: number): Stepped {
  if (state.phase === "widen" && state.entries.some(isNarrowed)) return narrowAgain(state, now);
  const hosts = new Set<string>();
  for (const entry of state.entries)
    if (isExposed(entry) && hosts.size < hostsPerStep) hosts.add(entry.host);
  const entries = state.entries.map((entry) =>
    isExposed(entry) && hosts.has(entry.host) ? takeBack(entry, now) : entry,
  );
  const status = entries.some(isExposed) ? "halted" : "rolled_back";
  const effects: readonly Effect[] =
    hosts.size === 0 ? [] : [{ kind: "restore", hosts: [...hosts] }];
  return { state: { ...state, status, entries }, effects };
}

const isNarrowed = (entry: Entry): boolean => entry.phase === "narrow" && isExposed(entry);
const isWidened = (entry: Entry): boolean => entry.phase === "widen" && isExposed(entry);

/** One that took itself back holds already what the first phase had left it. */
function narrowAgain(state: RolloutState, now: number): Stepped {
  const next = new Set<string>();
  for (const entry of state.entries)
    if (isWidened(entry) && !isGoingBack(entry) && next.size < hostsPerStep) next.add(entry.host);
  const entries = state.entries.map((entry): Entry => {
    if (!isWidened(entry) || !next.has(entry.host)) return entry;
    if (entry.standing === "reverted") return takeBack(entry, now);
    return { ...assignEntry(entry, now), standing: "rolled_back", detail: entry.detail };
  });
  const effects: readonly Effect[] = next.size === 0 ? [] : [{ kind: "narrow", hosts: [...next] }];
  const narrowed: RolloutState = next.size === 0 ? state : { ...state, status: "halted", entries };
  if (entries.some(isWidened)) return { state: narrowed, effects };
  const wave = entries.reduce(
    (last, entry) => (entry.phase === "narrow" ? Math.max(last, entry.wave) : last),
    1,
  );
  const rest = rollBack({ ...narrowed, phase: "narrow", wave }, now);
  return { state: rest.state, effects: [...effects, ...rest.effects] };
}

/** As it stands when it is given something; the store fills the rest. */
export const assignEntry = (entry: Entry, now: number): Entry => ({
  ...entry,
  standing: "assigned",
  seq: null,
  assignedAt: now,
  settledAt: null,
  affirmedAt: null,
  lastReportAt: null,
  stateBefore: null,
  baseline: null,
  detail: "",
});

function takeBack(entry: Entry, now: number): Entry {
  const kept = isBad(entry)
    ? entry
    : { ...entry, standing: "rolled_back" as const, settledAt: now, detail: "" };
  return { ...kept, seq: null, assignedAt: null, affirmedAt: null };
}

/** It did not commit, and no longer may be waited for. */
export const isBad = ({ standing }: Entry): boolean =>
  standing === "reverted" || standing === "failed" || standing === "unknown";

/**
 * What gives hosts that did not commit in the current phase what they had before it: in the second phase that is what
 * the first one left them, as others may have what depends on it.
 */
export function listRestoringEffects(
  state: RolloutState,
  hosts: readonly string[],
): readonly Effect[] {
  const given = new Set(
    state.phase === "narrow"
      ? []
      : state.entries
          .filter((entry) => entry.phase === "narrow" && isExposed(entry))
          .map(({ host }) => host),
  );
  const [narrowed, old] = [
    hosts.filter((host) => given.has(host)),
    hosts.filter((host) => !given.has(host)),
  ];
  const effects: Effect[] = [];
  if (narrowed.length > 0) effects.push({ kind: "assign", phase: "narrow", hosts: narrowed });
  if (old.length > 0) effects.push({ kind: "restore", hosts: old });
  return effects;
}
