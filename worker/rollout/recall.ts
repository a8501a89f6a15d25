/**
 * Taking back: who gets old content again, and how the entries then stand. A host that took itself back keeps that
 * standing; its old content under a higher seq is a record there, not a load, and lets it be tried again later.
 */
import { isExposed } from "./evidence.ts";
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
    case "skipped":
    case "superseded":
      return false;
  }
};

/** A rollback has begun, and some hosts still have the new content. */
export const isRollingBack = ({ status, entries }: RolloutState): boolean =>
  status === "halted" && entries.some(isTakenBack) && entries.some(isExposed);

/** Gives the next hosts their old content; `rolled_back` when none is left that has the new one. */
export function rollBack(state: RolloutState, now: number): Stepped {
  const hosts = new Set<string>();
  for (const entry of state.entries) if (isExposed(entry) && hosts.size < hostsPerStep) hosts.add(entry.host);
  const entries = state.entries.map((entry) =>
    isExposed(entry) && hosts.has(entry.host) ? takenBack(entry, now) : entry,
  );
  const status = entries.some(isExposed) ? "halted" : "rolled_back";
  const effects: readonly Effect[] = hosts.size === 0 ? [] : [{ kind: "restore", hosts: [...hosts] }];
  return { state: { ...state, status, entries }, effects };
}

function takenBack(entry: Entry, now: number): Entry {
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
export function effectsBefore(state: RolloutState, hosts: readonly string[]): readonly Effect[] {
  const given = new Set(
    state.phase === "narrow"
      ? []
      : state.entries.filter((entry) => entry.phase === "narrow" && isExposed(entry)).map(({ host }) => host),
  );
  const [narrowed, old] = [hosts.filter((host) => given.has(host)), hosts.filter((host) => !given.has(host))];
  const effects: Effect[] = [];
  if (narrowed.length > 0) effects.push({ kind: "assign", phase: "narrow", hosts: narrowed });
  if (old.length > 0) effects.push({ kind: "restore", hosts: old });
  return effects;
}
