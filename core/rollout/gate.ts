/**
 * Whether a wave may be left. Decides on standings alone. Only commits promote: what is not known waits for its
 * timeout and then pauses, and what went wrong beyond the limits halts whatever else is still open.
 */
import type { Gates } from "#schema/rollout.ts";
import type { Entry } from "./state.ts";

export type Verdict =
  | { readonly kind: "advance" | "wait" }
  | { readonly kind: "pause" | "halt"; readonly reason: string };

interface Tally {
  open: number;
  committed: number;
  bad: number;
  unknown: number;
  apart: number;
}

/**
 * Entries of one wave. `canary`: all must commit and none may fail. A wave of nobody is left at once. Hosts that were
 * shown it or wait apart are no evidence either way: they count in no share, and hosts apart alone promote nothing.
 */
export function checkGates(
  wave: readonly Entry[],
  gates: Gates,
  canary: boolean,
  now: number,
): Verdict {
  const { open, committed, bad, unknown, apart } = tally(wave);
  const total = open + committed + bad + unknown;
  const percent = (count: number): number => (total === 0 ? 0 : (count * 100) / total);
  if (percent(bad) > (canary ? 0 : gates.max_failed_percent))
    return {
      kind: "halt",
      reason: `${bad} of ${total} hosts failed or took themselves back: ${sample(wave)}`,
    };
  if (open > 0) return { kind: "wait" };
  if (percent(unknown) > (canary ? 0 : gates.max_unknown_percent))
    return { kind: "pause", reason: `${unknown} of ${total} hosts do not answer` };
  if (total > 0 && percent(committed) < (canary ? 100 : gates.min_committed_percent))
    return { kind: "pause", reason: `${committed} of ${total} hosts committed` };
  if (apart > 0 && committed === 0)
    return {
      kind: "pause",
      reason: `nobody committed, and ${apart} hosts were closed, degraded or in hold before`,
    };
  const bakedAt = lastSettled(wave) + gates.bake_seconds * 1000;
  return { kind: now < bakedAt || isUnheard(wave, gates) ? "wait" : "advance" };
}

function tally(wave: readonly Entry[]): Readonly<Tally> {
  const counts: Tally = { open: 0, committed: 0, bad: 0, unknown: 0, apart: 0 };
  for (const { standing } of wave) {
    switch (standing) {
      case "pending":
      case "assigned":
        counts.open += 1;
        break;
      case "committed":
        counts.committed += 1;
        break;
      case "reverted":
      case "failed":
        counts.bad += 1;
        break;
      case "unknown":
        counts.unknown += 1;
        break;
      case "apart":
        counts.apart += 1;
        break;
      case "shown":
      case "skipped":
      case "rolled_back":
      case "superseded":
        break;
    }
  }
  return counts;
}

/** A bake is evidence only of hosts that said something in it. */
const isUnheard = (wave: readonly Entry[], { bake_seconds: bake }: Gates): boolean =>
  bake > 0 &&
  wave.some(({ standing, affirmedAt }) => standing === "committed" && affirmedAt === null);

const sample = (wave: readonly Entry[]): string =>
  wave
    .filter(({ standing }) => standing === "reverted" || standing === "failed")
    .slice(0, 3)
    .map(({ host, detail }) => `${host} (${detail})`)
    .join(", ");

/** Also those that may be missing: a wave is left no sooner because a host said nothing. */
const lastSettled = (wave: readonly Entry[]): number =>
  wave.reduce(
    (last, { standing, settledAt }) =>
      standing === "skipped" ? last : Math.max(last, settledAt ?? 0),
    Number.NEGATIVE_INFINITY,
  );
