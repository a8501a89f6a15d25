/**
 * The only place that waits: a cycle, then the pace's pause, until it is told to stop. Stopping never touches the
 * kernel; whatever was committed stays in place (law 2).
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Agent, Cycle } from "./agent.ts";
import { nextPollMs, pollSeconds } from "./transport/pace.ts";

/** Runs until `stop`; resolves when the cycle in hand has ended. `random` gives numbers from 0 up to 1. */
export async function loop(agent: Agent, random: () => number, stop: AbortSignal): Promise<void> {
  let failures = 0;
  while (!stop.aborted) {
    const cycle = await agent.cycle(stop);
    failures = cycle.believed ? 0 : failures + 1;
    await pauseFor(cycle, failures, random(), stop);
  }
}

async function pauseFor(cycle: Cycle, failures: number, random: number, stop: AbortSignal): Promise<void> {
  try {
    await pause(nextPollMs(pollSeconds(cycle.pollAfter), failures, random), undefined, { signal: stop });
  } catch (error) {
    if (!stop.aborted) throw error;
  }
}
