/** `run` and `once`: the agent at work, alone in its state directory. */
import { Agent } from "#agent/cycle/agent.ts";
import { spawnExec } from "#agent/process/spawn.ts";
import { Witness } from "#agent/backend/nft/witness.ts";
import { exitCodes, type Options } from "./args.ts";
import { lock } from "#agent/disk/lock.ts";
import { runHeartbeat, loop, runPatrol } from "#agent/cycle/loop.ts";
import type { Patrol } from "../observe/patrol.ts";
import { openServiceWatchdog } from "#agent/process/systemd.ts";
import {
  controlPlaneOf,
  openParts,
  openPatrol,
  requireEnvironment,
  type Terminal,
} from "./open.ts";

/** A program that only says a word needs no longer. */
const tellSeconds = 20;

/** Until SIGTERM or SIGINT, with the patrol beside it, and systemd told that both can turn. The rules stay in place. */
export const run = (options: Options, terminal: Terminal): Promise<number> =>
  runAlone(options, terminal, async (agent, patrol) => {
    // Whichever fails ends the other: an agent that watches half is not left running.
    const failed = new AbortController();
    const stop = AbortSignal.any([terminal.stop, failed.signal]);
    const watchdog = openServiceWatchdog(
      process.env,
      process.pid,
      spawnExec({ timeoutSeconds: tellSeconds }),
    );
    const loops = [
      loop(agent, Math.random, stop),
      runPatrol(patrol, stop),
      ...(watchdog === undefined ? [] : [runHeartbeat(watchdog, terminal.log, stop)]),
    ];
    for (const one of loops) one.catch(() => failed.abort());
    const ended = await Promise.allSettled(loops);
    for (const one of ended) if (one.status === "rejected") throw one.reason;
    terminal.log("stopped; the rules stay in place");
    return exitCodes.ok;
  });

/** One cycle: 0 when what the control plane signed is in force, 3 when something was refused and the old rules stay. */
export const once = (options: Options, terminal: Terminal): Promise<number> =>
  runAlone(options, terminal, async (agent) => {
    const { refusal } = await agent.runCycle(terminal.stop);
    return refusal === undefined ? exitCodes.ok : exitCodes.refused;
  });

async function runAlone(
  options: Options,
  terminal: Terminal,
  work: (agent: Agent, patrol: Patrol) => Promise<number>,
): Promise<number> {
  requireEnvironment(controlPlaneOf(options));
  const witness = new Witness();
  const parts = openParts(options, terminal.log, witness);
  const held = lock(options.stateDir);
  if (!held.held) {
    terminal.log(`another agent, process ${held.pid}, uses this state directory`);
    return exitCodes.failed;
  }
  try {
    const agent = new Agent(parts);
    return await work(agent, openPatrol(options, parts, witness, agent));
  } finally {
    held.release();
  }
}
