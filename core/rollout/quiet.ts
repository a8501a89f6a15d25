/** How long a rollout may be left alone. Asks the step itself, so that no rule of it is told twice. */
import type { Evidence, RolloutState } from "./state.ts";
import { step } from "./step.ts";

const minuteMs = 60_000;
const longestMs = 64 * minuteMs;

/**
 * Until when time alone changes nothing, as far as it was asked: some minutes, an hour at most. What is due once stays
 * due, so that nothing before the last time asked about was.
 * @param evidence the newest report of every host that was given something
 * @returns milliseconds since the Unix epoch; `now` when something is due within a minute
 */
export function findQuietEnd(
  state: RolloutState,
  evidence: readonly Evidence[],
  now: number,
): number {
  let until = now;
  for (let wait = minuteMs; wait <= longestMs; wait *= 2) {
    const outcome = step(state, { kind: "evidence", evidence }, now + wait);
    if ("refused" in outcome || outcome.state !== state) return until;
    until = now + wait;
  }
  return until;
}
