/**
 * How often a host is asked to report while a rollout decides on it, and for how long its silence is nothing. Follows
 * from the gates alone: a bake is four polls at least (begin.ts), so a quarter of it is no less than one.
 */
import type { Gates } from "#schema/rollout.ts";
import type { Entry, RolloutState } from "./state.ts";

const seconds = { min: 15, max: 900 } as const;
/** Agents report every hour by themselves; a host that misses two reports is silent. */
export const silentAfterMs = 2 * 3_600_000;
/** Three that did not come, and the time of one more for a slow network. */
const missed = 4;

/** Null without a bake: then nothing is waited for between a commit and the next wave. */
const heartbeatSeconds = ({ bake_seconds: bake }: Gates): number | null =>
  bake === 0 ? null : Math.min(seconds.max, Math.max(seconds.min, Math.ceil(bake / 4)));

export type Place = Pick<RolloutState, "gates" | "phase" | "wave">;

const isCurrent = (entry: Pick<Entry, "phase" | "wave">, { phase, wave }: Place): boolean =>
  entry.phase === phase && entry.wave === wave;

/** Seconds until the next report that the rollout would like of this host; null when the usual hour will do. */
export function computeNextReportSeconds(
  entry: Pick<Entry, "phase" | "wave" | "standing">,
  place: Place,
): number | null {
  const asked = entry.standing === "assigned" || entry.standing === "committed";
  return asked && isCurrent(entry, place) ? heartbeatSeconds(place.gates) : null;
}

/** Milliseconds without a report after which a host that committed is lost. @param heartbeats it reports when asked */
export function computeLostAfterMs(entry: Entry, heartbeats: boolean, place: Place): number {
  const every = heartbeats && isCurrent(entry, place) ? heartbeatSeconds(place.gates) : null;
  return every === null ? silentAfterMs : missed * every * 1000;
}
