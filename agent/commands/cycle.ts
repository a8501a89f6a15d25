/** `run` and `once`: the agent at work, alone in its state directory. */
import { Agent } from "../agent.ts";
import { exitCodes, type Options } from "../args.ts";
import { lock } from "../lock.ts";
import { loop } from "../loop.ts";
import { openParts, type Terminal } from "./open.ts";

/** Until SIGTERM or SIGINT. The rules stay in place. */
export const run = (options: Options, terminal: Terminal): Promise<number> =>
  alone(options, terminal, async (agent) => {
    await loop(agent, Math.random, terminal.stop);
    terminal.log("stopped; the rules stay in place");
    return exitCodes.ok;
  });

/** One cycle: 0 when what the control plane signed is in force, 3 when something was refused and the old rules stay. */
export const once = (options: Options, terminal: Terminal): Promise<number> =>
  alone(options, terminal, async (agent) => {
    const { refusal } = await agent.cycle(terminal.stop);
    return refusal === undefined ? exitCodes.ok : exitCodes.refused;
  });

async function alone(
  options: Options,
  terminal: Terminal,
  work: (agent: Agent) => Promise<number>,
): Promise<number> {
  const parts = openParts(options, terminal.log);
  const held = lock(options.stateDir);
  if (!held.held) {
    terminal.log(`another agent, process ${held.pid}, uses this state directory`);
    return exitCodes.failed;
  }
  try {
    return await work(new Agent(parts));
  } finally {
    held.release();
  }
}
