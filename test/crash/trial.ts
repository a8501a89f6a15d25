/**
 * One trial: a host that runs a committed ruleset is killed within an apply, and then restarted, left alone or rebooted,
 * over slots that are whole, torn or gone. Two peers knock throughout: a stranger must never get in, the management
 * network always. Afterwards the kernel holds the last committed ruleset or the closed one.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Failpoint } from "#agent/cycle/enforce.ts";
import { fallbackOf } from "#agent/cycle/fallback.ts";
import { slotNames, makeSlotSeal } from "#agent/disk/slots.ts";
import { inNamespace } from "#lab/net/netns.ts";
import { must, sendSignal, waitUntil } from "#lab/run/process.ts";
import { restoring } from "#test/support/restoring.ts";
import { add, type Counts, type Knocking, noCounts } from "./knocking.ts";

export const aftermaths = ["restart", "no restart", "reboot"] as const;
export const damages = ["good", "torn", "missing"] as const;

/** So many milliseconds after a step was reached, wherever the agent is by then. */
export interface Moment {
  readonly after: Failpoint | "begun";
  readonly ms: number;
}

export interface Trial {
  /** A step to die at, or a moment at which to be killed. */
  readonly kill: Failpoint | Moment;
  readonly aftermath: (typeof aftermaths)[number];
  readonly slots: (typeof damages)[number];
}

export interface Result extends Counts {
  readonly holds: "before" | "after" | "closed" | "something else";
  /** Whether the candidate had been committed when the agent died. */
  readonly committed: boolean;
}

export interface Context {
  readonly namespace: string;
  /** State of a host that runs seq 2; copied for each trial. */
  readonly base: string;
  readonly guard: string;
  /** Programs: nft in the host's namespace, and `agent.ts`. */
  readonly nft: string;
  readonly agent: string;
  readonly knocking: Knocking;
  readonly offer: (how: "next" | "nothing") => void;
}

export async function runTrial(context: Context, trial: Trial): Promise<Result> {
  const directory = join(mkdtempSync(join(tmpdir(), "portcullis-trial-")), "state");
  cpSync(context.base, directory, { recursive: true, verbatimSymlinks: true });
  const { namespace, knocking } = context;
  const nft = (...argv: readonly string[]) => must(inNamespace(namespace, "nft", ...argv));
  const boot = () =>
    must(inNamespace(namespace, ...restoring(directory, fallbackOf(context.guard))));
  try {
    await nft("flush", "ruleset");
    await boot();
    await knocking.start();
    await knocking.knocked(1);
    context.offer("next");
    await die(context, directory, trial.kill);
    const committed = readSeq(directory) === 3;
    damage(directory, trial.slots);
    context.offer("nothing");
    let counts = noCounts;
    switch (trial.aftermath) {
      case "restart":
        await agent(context, directory).ended;
        break;
      case "no restart":
        await watchdogsEnd(directory);
        break;
      case "reboot":
        // While the machine is down nobody knocks; its kernel comes up empty.
        counts = await knocking.stop();
        for (const pid of processesOf(directory)) sendSignal(pid, "SIGKILL");
        await nft("flush", "ruleset");
        await boot();
        await knocking.start();
        await knocking.knocked(1);
        break;
    }
    counts = add(counts, await knocking.stop());
    return { ...counts, holds: named(await nft("-s", "list", "ruleset")), committed };
  } finally {
    for (const pid of processesOf(directory)) sendSignal(pid, "SIGKILL");
    rmSync(join(directory, ".."), { recursive: true, force: true });
  }
}

function agent(context: Context, directory: string, failpoint = "") {
  const argv = [context.agent, directory, context.guard, context.nft, failpoint];
  const child = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "ignore"] });
  return {
    child,
    steps: createInterface({ input: child.stdout }),
    ended: once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>,
  };
}

/** Starts an apply and ends its process. A moment may come too late: then the apply is through. */
async function die(context: Context, directory: string, kill: Trial["kill"]): Promise<void> {
  const { child, steps, ended } = agent(context, directory, typeof kill === "string" ? kill : "");
  let timer: NodeJS.Timeout | undefined;
  steps.on("line", (step) => {
    if (typeof kill !== "string" && step === kill.after)
      timer = setTimeout(() => child.kill("SIGKILL"), kill.ms);
  });
  const [, by] = await ended;
  clearTimeout(timer);
  if (typeof kill === "string" && by !== "SIGKILL")
    throw new Error(`expected the agent to reach ${kill}`);
}

/** Tears or removes every slot that is committed, as a failing disk does. */
function damage(directory: string, slots: Trial["slots"]): void {
  for (const name of slotNames) {
    if (slots === "good" || makeSlotSeal(directory, name) !== "committed") continue;
    const path = join(directory, "slots", name);
    if (slots === "torn") truncateSync(join(path, "ruleset.nft"), 200);
    else rmSync(path, { recursive: true });
  }
}

/** The highest seq that is committed. */
const readSeq = (directory: string): number =>
  Math.max(
    ...slotNames
      .filter((name) => makeSlotSeal(directory, name) === "committed")
      .map((name) => {
        const text = readFileSync(join(directory, "slots", name, "meta.json"), "utf8");
        return (JSON.parse(text) as { applied: { seq: number } }).applied.seq;
      }),
  );

async function watchdogsEnd(directory: string): Promise<void> {
  const watchdogs = processesOf(directory);
  await waitUntil("the watchdog to end", async () =>
    Promise.resolve(watchdogs.some((pid) => belongs(pid, directory)) ? undefined : true),
  );
}

/** Processes of ours that work in this very directory: its name is random. */
const processesOf = (directory: string): readonly number[] =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => belongs(pid, directory));

function belongs(pid: number, directory: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(directory);
  } catch {
    return false; // it has ended
  }
}

function named(ruleset: string): Result["holds"] {
  if (!ruleset.includes("table inet portcullis") || !ruleset.includes("192.0.2.0/24"))
    return "something else";
  if (ruleset.includes("203.0.113.9")) return "after";
  if (ruleset.includes("2001:db8::1")) return "before";
  return ruleset.includes("198.51.100.1") ? "something else" : "closed";
}
