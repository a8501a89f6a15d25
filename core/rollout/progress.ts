/**
 * How a rollout goes on by itself: halt before anything else, then assign what the reached waves still lack, and only
 * on evidence reach the next one. Nothing is given to a host of a wave that was not reached, and nothing is widened
 * before every host that must lose something has committed that, or was passed over by a person.
 */
import type { HostProgress, Phase } from "#schema/rollout.ts";
import { isExposed, updateEntry } from "./evidence.ts";
import { checkGates, type Verdict } from "./gate.ts";
import { assignEntry, hostsPerStep, isRollingBack, rollBack, type Stepped } from "./recall.ts";
import type { Entry, Evidence, RolloutState } from "./state.ts";

/** Paused by evidence, which may end it too; a person's pause is for a person to end. */
export const isWaiting = ({ status, pausedBy }: RolloutState): boolean =>
  status === "paused" && pausedBy === "evidence";

/** What time and reports lead to, whatever the status. Returns `state` itself when nothing changed. */
export function proceed(before: RolloutState, reports: readonly Evidence[], now: number): Stepped {
  const state = applyReports(before, reports, now);
  switch (state.status) {
    case "running":
      return stepRunning(state, now);
    case "paused":
      return stepPaused(state, now);
    case "halted":
      return isRollingBack(state) ? rollBack(state, now) : { state, effects: [] };
    case "awaiting_approval":
    case "rolled_back":
    case "completed":
    case "superseded":
      return { state, effects: [] };
  }
}

/** Only the phase that runs is judged: what a host did with the first one was settled before the second began. */
function applyReports(
  state: RolloutState,
  reports: readonly Evidence[],
  now: number,
): RolloutState {
  if (state.status === "completed" || state.status === "superseded") return state;
  const newest = new Map<string, Evidence>();
  for (const report of reports) {
    const known = newest.get(report.host);
    if (known === undefined || report.receivedAt > known.receivedAt)
      newest.set(report.host, report);
  }
  let changed = false;
  const entries = state.entries.map((entry) => {
    if (entry.phase !== state.phase) return entry;
    const judged = updateEntry(entry, newest.get(entry.host), state, now);
    changed ||= judged !== entry;
    return judged;
  });
  return changed ? { ...state, entries } : state;
}

/** Whether these reports change how any host of the state stands; it may hold only the entries of their hosts. */
export const isNews = (state: RolloutState, reports: readonly Evidence[], now: number): boolean =>
  applyReports(state, reports, now) !== state;

function stepPaused(state: RolloutState, now: number): Stepped {
  const verdict = checkWaves(state, now);
  if (verdict.kind === "halt") return halt(state, verdict.reason, now);
  return isWaiting(state) ? stepRunning(state, now) : { state, effects: [] };
}

/** Halts a rollout on a breach, and begins to take back where its gates say so. */
function halt(state: RolloutState, reason: string, now: number): Stepped {
  const halted: RolloutState = { ...state, status: "halted", reason };
  return state.gates.auto_rollback ? rollBack(halted, now) : { state: halted, effects: [] };
}

function stepRunning(state: RolloutState, now: number): Stepped {
  const verdict = checkWaves(state, now);
  switch (verdict.kind) {
    case "halt":
      return halt(state, verdict.reason, now);
    case "pause":
      return pause(state, verdict.reason);
    case "wait":
      return assign(state, now);
    case "advance":
      return leaveWave(state, now);
  }
}

const entriesOf = (state: RolloutState, phase: Phase): readonly Entry[] =>
  state.entries.filter((entry) => entry.phase === phase && entry.wave > 0);

/** Over every wave reached in this phase: an earlier one may still turn bad, but its bake is over. */
function checkWaves(state: RolloutState, now: number): Verdict {
  const waves = new Map<number, Entry[]>();
  let last = state.wave;
  for (const entry of entriesOf(state, state.phase)) {
    last = Math.max(last, entry.wave);
    if (entry.wave > state.wave) continue;
    const wave = waves.get(entry.wave);
    if (wave === undefined) waves.set(entry.wave, [entry]);
    else wave.push(entry);
  }
  const baked = { ...state.gates, bake_seconds: 0 };
  const verdicts = [...waves].map(([n, wave]) =>
    checkGates(wave, n === state.wave ? state.gates : baked, n === 1 && last > 1, now),
  );
  const kinds = ["halt", "wait", "pause"] as const;
  for (const kind of kinds) {
    const found = verdicts.find((verdict) => verdict.kind === kind);
    if (found !== undefined) return found;
  }
  return { kind: "advance" };
}

function pause(state: RolloutState, because: string): Stepped {
  const reason = `waits: ${because}`;
  const same = isWaiting(state) && state.reason === reason;
  return {
    state: same ? state : { ...state, status: "paused", pausedBy: "evidence", reason },
    effects: [],
  };
}

const running = (state: RolloutState): RolloutState =>
  state.status === "running" && state.reason === ""
    ? state
    : { ...state, status: "running", reason: "" };

/** Gives the next hosts of the reached waves the content of this phase. */
function assign(before: RolloutState, now: number): Stepped {
  const state = running(before);
  const { phase } = state;
  const isDue = (entry: Entry): boolean =>
    entry.phase === phase &&
    entry.standing === "pending" &&
    entry.wave > 0 &&
    entry.wave <= state.wave;
  const hosts = new Set(
    state.entries
      .filter(isDue)
      .slice(0, hostsPerStep)
      .map(({ host }) => host),
  );
  if (hosts.size === 0) return { state, effects: [] };
  const entries = state.entries.map((entry) =>
    isDue(entry) && hosts.has(entry.host) ? assignEntry(entry, now) : entry,
  );
  return {
    state: { ...state, waveStartedAt: state.waveStartedAt ?? now, entries },
    effects: [{ kind: "assign", phase, hosts: [...hosts] }],
  };
}

function leaveWave(state: RolloutState, now: number): Stepped {
  const own = entriesOf(state, state.phase);
  if (own.some(({ wave }) => wave > state.wave))
    return reach(state, state.phase, state.wave + 1, now);
  if (state.phase === "widen") return complete(state);
  const missing = own.filter(({ standing }) => !isPast(standing));
  if (missing.length > 0)
    return pause(state, `${formatHostNames(missing)} did not lose yet what others depend on`);
  return entriesOf(state, "widen").length === 0 ? complete(state) : reach(state, "widen", 1, now);
}

/** It lost what others depend on, never enforced it, or was passed over by a person. */
const isPast = (standing: HostProgress): boolean =>
  standing === "committed" || standing === "shown" || standing === "skipped";

/** Goes on from there at once: a wave of nobody is left as soon as it is reached. */
const reach = (state: RolloutState, phase: Phase, wave: number, now: number): Stepped =>
  stepRunning({ ...state, phase, wave, waveStartedAt: now }, now);

function complete(state: RolloutState): Stepped {
  const widened = new Set(entriesOf(state, "widen").map(({ host }) => host));
  const hosts = entriesOf(state, "narrow")
    .filter((entry) => isExposed(entry) && !widened.has(entry.host))
    .map(({ host }) => host);
  return {
    state: { ...state, status: "completed", reason: "" },
    effects: hosts.length === 0 ? [] : [{ kind: "release", hosts }],
  };
}

function formatHostNames(entries: readonly Entry[]): string {
  const shown = entries.slice(0, 5).map(({ host }) => host);
  const more = entries.length - shown.length;
  return more === 0 ? shown.join(", ") : `${shown.join(", ")} and ${more} more`;
}
