/**
 * One trial: a host that runs a committed ruleset is killed within an apply, and then restarted, left alone or rebooted,
 * over slots that are whole, torn or gone. Two peers knock throughout: a stranger must never get in, the management
 * network always. Afterwards the kernel holds the last committed ruleset or the closed one.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import { spawnExec } from "#agent/apply/spawn.ts";
import type { Failpoint } from "#agent/enforce.ts";
import { slotNames, slotSeal } from "#agent/slots.ts";
import { inNamespace, newPrefix } from "#lab/netns.ts";
import { must, until } from "#lab/process.ts";
import { buildTopology } from "#lab/topology.ts";
import { filesOf, publish } from "#test/attack/plane.ts";
import { admitting, openVictim } from "#test/attack/victim.ts";

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const address = "10.77.0.1";

export const aftermaths = ["restart", "no restart", "reboot"] as const;
export const damages = ["good", "torn", "missing"] as const;

export interface Trial {
  /** A step to die at, or milliseconds after which to be killed wherever the agent is. */
  readonly kill: Failpoint | number;
  readonly aftermath: (typeof aftermaths)[number];
  readonly slots: (typeof damages)[number];
}

export interface Result {
  /** Knocks of the stranger that were answered. */
  readonly opens: number;
  /** Knocks from the management network that were not. */
  readonly lockOuts: number;
  readonly knocks: number;
  readonly holds: "before" | "after" | "closed" | "something else";
  /** Whether the candidate had been committed when the agent died. */
  readonly committed: boolean;
}

export interface Arena {
  run(trial: Trial): Promise<Result>;
  /** The control: answered knocks of the stranger at a host without rules. */
  opensWithoutRules(): Promise<number>;
  close(): Promise<void>;
}

interface Watch {
  readonly child: ChildProcess;
  readonly lines: Interface;
}

export async function openArena(): Promise<Arena> {
  const topology = await buildTopology({
    prefix: newPrefix(),
    gateway: { interfaces: ["eth0"], addresses: [address] },
    machines: [
      { name: "admin", behind: "eth0", addresses: ["192.0.2.9"] },
      { name: "stranger", behind: "eth0", addresses: ["192.0.3.9"] },
    ],
  });
  const gateway = topology.gateway;
  const exec = spawnExec({ prefix: inNamespace(gateway), timeoutSeconds: 20 });
  const victim = await openVictim({
    name: gateway,
    exec,
    ruleset: async () => (await exec(["nft", "-s", "list", "ruleset"], "")).stdout,
    clear: async () => void (await exec(["nft", "flush", "ruleset"], "")),
    close: async () => Promise.resolve(),
  });
  const next = filesOf(
    await publish(victim.authority, admitting("198.51.100.1", "203.0.113.9"), victim.second),
  );
  const children: ChildProcess[] = [];
  const start = (namespace: string, script: string, ...args: readonly string[]): ChildProcess => {
    const [command = "", ...argv] = inNamespace(namespace, process.execPath, here(script), ...args);
    const child = spawn(command, argv, { stdio: ["pipe", "pipe", "inherit"] });
    children.push(child);
    return child;
  };
  const watch = (machine: string, port: string): Watch => {
    const child = start(topology.machine(machine), "watch.ts", address, port);
    return { child, lines: createInterface({ input: child.stdout ?? process.stdin }) };
  };
  const listener = start(gateway, "../support/listener.ts", "22", "80");
  if (listener.stdout !== null) await once(listener.stdout, "data");
  const stranger = watch("stranger", "80");
  const admin = watch("admin", "22");

  const wrapper = join(mkdtempSync(join(tmpdir(), "portcullis-crash-")), "nft");
  writeFileSync(wrapper, `#!/bin/sh\nexec ip netns exec ${gateway} nft "$@"\n`);
  chmodSync(wrapper, 0o755);
  const context: Context = {
    namespace: gateway,
    base: victim.directory,
    guard: victim.guardPath,
    wrapper,
    watches: { stranger, admin },
    offer: (how) => {
      if (how === "next") victim.plane.serve(next);
      else victim.plane.answer((_, response) => void response.writeHead(503).end());
    },
  };
  return {
    run: (trial) => runTrial(context, trial),
    async opensWithoutRules() {
      await must(inNamespace(gateway, "nft", "flush", "ruleset"));
      tell(context, "start");
      // A window for knocks, as long as ten pings.
      await must(inNamespace(gateway, "ping", "-q", "-c", "10", "-i", "0.05", "127.0.0.1"));
      return (await stop(context)).opens;
    },
    async close() {
      for (const child of children) child.kill("SIGKILL");
      await victim.close();
      await topology.destroy();
      rmSync(join(wrapper, ".."), { recursive: true, force: true });
    },
  };
}

interface Context {
  readonly namespace: string;
  /** State of a host that runs seq 2; copied for each trial. */
  readonly base: string;
  readonly guard: string;
  readonly wrapper: string;
  readonly watches: Readonly<Record<"stranger" | "admin", Watch>>;
  readonly offer: (how: "next" | "nothing") => void;
}

async function runTrial(context: Context, trial: Trial): Promise<Result> {
  const directory = join(mkdtempSync(join(tmpdir(), "portcullis-trial-")), "state");
  cpSync(context.base, directory, { recursive: true, verbatimSymlinks: true });
  const { namespace } = context;
  const nft = (...argv: readonly string[]) => must(inNamespace(namespace, "nft", ...argv));
  const boot = () => must(inNamespace(namespace, "/bin/sh", join(directory, "restore.sh"), directory, "nft"));
  try {
    await nft("flush", "ruleset");
    await boot();
    tell(context, "start");
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
        await until("the watchdog to end", 20_000, async () =>
          Promise.resolve(watchdogsOf(directory).length === 0 ? true : undefined),
        );
        break;
      case "reboot":
        // While the machine is down nobody knocks; its kernel comes up empty.
        counts = await stop(context);
        for (const pid of watchdogsOf(directory)) process.kill(pid, "SIGKILL");
        await nft("flush", "ruleset");
        await boot();
        tell(context, "start");
        break;
    }
    counts = add(counts, await stop(context));
    return { ...counts, holds: named(await nft("-s", "list", "ruleset")), committed };
  } finally {
    for (const pid of watchdogsOf(directory)) process.kill(pid, "SIGKILL");
    rmSync(join(directory, ".."), { recursive: true, force: true });
  }
}

function agent({ guard, wrapper }: Context, directory: string, failpoint = "") {
  const child = spawn(process.execPath, [here("agent.ts"), directory, guard, wrapper, failpoint], {
    stdio: "ignore",
  });
  return { child, ended: once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]> };
}

/** Starts an apply and ends its process. */
async function die(context: Context, directory: string, kill: Trial["kill"]): Promise<void> {
  const { child, ended } = agent(context, directory, typeof kill === "string" ? kill : "");
  const timer = typeof kill === "number" ? setTimeout(() => child.kill("SIGKILL"), kill) : undefined;
  const [, signal] = await ended;
  clearTimeout(timer);
  if (typeof kill === "string" && signal !== "SIGKILL")
    throw new Error(`expected the agent to reach ${kill}`);
}

/** Tears or removes every slot that is committed, as a failing disk does. */
function damage(directory: string, slots: Trial["slots"]): void {
  for (const name of slotNames) {
    if (slots === "good" || slotSeal(directory, name) !== "committed") continue;
    const path = join(directory, "slots", name);
    if (slots === "torn") truncateSync(join(path, "ruleset.nft"), 200);
    else rmSync(path, { recursive: true });
  }
}

/** The highest seq that is committed. */
const readSeq = (directory: string): number =>
  Math.max(
    ...slotNames
      .filter((name) => slotSeal(directory, name) === "committed")
      .map((name) => {
        const text = readFileSync(join(directory, "slots", name, "meta.json"), "utf8");
        return (JSON.parse(text) as { applied: { seq: number } }).applied.seq;
      }),
  );

/** Processes of ours that watch this very directory: its name is random. */
function watchdogsOf(directory: string): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => commandOf(pid).includes(`${directory}/watchdog.sh`))
    .map(Number);
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return ""; // it has ended
  }
}

function named(ruleset: string): Result["holds"] {
  if (!ruleset.includes("table inet portcullis") || !ruleset.includes("192.0.2.0/24"))
    return "something else";
  if (ruleset.includes("203.0.113.9")) return "after";
  if (ruleset.includes("2001:db8::1")) return "before";
  return ruleset.includes("198.51.100.1") ? "something else" : "closed";
}

type Counts = Pick<Result, "opens" | "lockOuts" | "knocks">;
const noCounts: Counts = { opens: 0, lockOuts: 0, knocks: 0 };
const add = (a: Counts, b: Counts): Counts => ({
  opens: a.opens + b.opens,
  lockOuts: a.lockOuts + b.lockOuts,
  knocks: a.knocks + b.knocks,
});

function tell({ watches }: Context, word: "start" | "stop"): void {
  for (const { child } of [watches.stranger, watches.admin]) child.stdin?.write(`${word}\n`);
}

/** Ends the knocking and counts it. */
async function stop(context: Context): Promise<Counts> {
  const { stranger, admin } = context.watches;
  const said = [stranger, admin].map(({ lines }) => once(lines, "line") as Promise<[string]>);
  tell(context, "stop");
  const [outside, inside] = (await Promise.all(said)).map(
    ([line]) => JSON.parse(line) as { answered: number; silent: number },
  );
  if (outside === undefined || inside === undefined) throw new Error("expected two counts");
  return {
    opens: outside.answered,
    lockOuts: inside.silent,
    knocks: outside.answered + outside.silent + inside.answered + inside.silent,
  };
}
