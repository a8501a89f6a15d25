/**
 * The only place that waits: a cycle, then the pace's pause; beside it the patrol of our own table. Both until they are
 * told to stop. Stopping never touches the kernel; whatever was committed stays in place (law 2).
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Agent } from "./agent.ts";
import { checkIntervalMs, type Patrol } from "#agent/observe/patrol.ts";
import type { ServiceWatchdog } from "#agent/process/systemd.ts";
import { computeNextPollMs, pollSeconds, spreadMs } from "#agent/transport/pace.ts";

/** Runs until `stop`; resolves when the cycle in hand has ended. `random` gives numbers from 0 up to 1. */
export async function loop(agent: Agent, random: () => number, stop: AbortSignal): Promise<void> {
  let failures = 0;
  while (!stop.aborted) {
    const cycle = await agent.runCycle(stop);
    failures = cycle.believed ? 0 : failures + 1;
    const next = computeNextPollMs(pollSeconds(cycle.pollAfter), failures, random());
    await pauseMs(Math.max(next, spreadMs(cycle.waitMs, random())), stop);
  }
}

/** A monitor that lived this long was well; another start follows at once. */
const watchedWellMs = 60_000;
const restartMs = { first: 250, last: 30_000 } as const;

/** Between two repairs of a table that somebody keeps changing; still well within two seconds. */
const betweenRepairsMs = 100;

/** Checks our table when it was touched, and every `checkMs`. Resolves after `stop`. */
export async function runPatrol(
  patrol: Patrol,
  stop: AbortSignal,
  checkMs = checkIntervalMs,
): Promise<void> {
  const watching = watchLoop(patrol, stop);
  while (!stop.aborted) {
    await waitUntilTouched(patrol, stop, checkMs);
    if (!stop.aborted && (await patrol.check()) !== undefined)
      await pauseMs(betweenRepairsMs, stop);
  }
  await watching;
}

/** Until our table was touched, it is time to look anyway, or `stop`. */
async function waitUntilTouched(patrol: Patrol, stop: AbortSignal, checkMs: number): Promise<void> {
  const over = new AbortController();
  const ended = AbortSignal.any([stop, over.signal]);
  await Promise.race([patrol.waitForTouch(), pauseMs(checkMs, ended)]);
  over.abort();
}

/** Keeps a monitor running: what happened while there was none is found by the check after its start. */
async function watchLoop(patrol: Patrol, stop: AbortSignal): Promise<void> {
  let failures = 0;
  while (!stop.aborted) {
    const began = performance.now();
    await patrol.watch(stop);
    failures = performance.now() - began > watchedWellMs ? 0 : failures + 1;
    await pauseMs(Math.min(restartMs.last, restartMs.first * 2 ** Math.min(failures, 10)), stop);
  }
}

/** Says that this event loop turns, three times in each period that it is waited for. A failure is said and ends nothing. */
export async function runHeartbeat(
  { withinMs, tell }: ServiceWatchdog,
  log: (line: string) => void,
  stop: AbortSignal,
): Promise<void> {
  while (!stop.aborted) {
    await tell().catch((error: unknown) =>
      log(`systemd hears nothing of this agent: ${String(error)}`),
    );
    await pauseMs(withinMs / 3, stop);
  }
}

async function pauseMs(ms: number, stop: AbortSignal): Promise<void> {
  try {
    await pause(ms, undefined, { signal: stop });
  } catch (error) {
    if (!stop.aborted) throw error;
  }
}
