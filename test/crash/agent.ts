/**
 * The agent with a place to die: one cycle over `STATE GUARD NFT`, ended by SIGKILL at the failpoint named last, if one
 * is. Prints each step that it reaches, for who wants to end it from outside. Not part of what is shipped. Its watchdog
 * waits for two seconds instead of the guard's fifteen or more.
 */
import { writeSync } from "node:fs";
import { Agent } from "#agent/cycle/agent.ts";
import { openWatchdog } from "#agent/backend/nft/watchdog.ts";
import { openParts } from "#agent/commands/open.ts";
import { fallbackOf } from "#agent/cycle/fallback.ts";

const [stateDir = "", guard = "", nft = "", failpoint = ""] = process.argv.slice(2);
const log = (line: string): void => void process.stderr.write(`${line}\n`);
const say = (step: string): void => void writeSync(1, `${step}\n`);
const options = {
  stateDir,
  guard,
  nft,
  ca: undefined,
  url: undefined,
  rootSha256: undefined,
  token: undefined,
  tokenFile: undefined,
  enforce: false,
  closedFirst: false,
  proposeGuard: false,
  writeGuard: false,
  lift: false,
  yes: false,
  json: false,
  events: 0,
};
const watchdogSeconds = 2;
const watchdog = openWatchdog(stateDir, fallbackOf(guard), nft);
const agent = new Agent({
  ...openParts(options, log),
  watchdog: {
    arm: (slot, deadline, seconds) =>
      watchdog.arm(slot, deadline - seconds + watchdogSeconds, watchdogSeconds),
  },
  pass: (reached) => {
    if (reached === failpoint) process.kill(process.pid, "SIGKILL");
    say(reached);
  },
});
say("begun");
await agent.runCycle(new AbortController().signal);
