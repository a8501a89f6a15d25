/**
 * Where trials take place, one after the other: a host in a network namespace with a committed ruleset, a control plane
 * that offers it the next, and two peers that knock. Several arenas stand side by side without touching each other.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { spawnExec } from "#agent/process/spawn.ts";
import { inNamespace, newPrefix } from "#lab/net/netns.ts";
import { must } from "#lab/run/process.ts";
import { buildTopology } from "#lab/net/topology.ts";
import { filesOf, publish } from "#test/attack/plane.ts";
import { admitting, openVictim, type Victim } from "#test/attack/victim.ts";
import { type Counts, type Knocking, openKnocking, ports } from "./knocking.ts";
import { type Result, runTrial, type Trial } from "./trial.ts";

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const address = "10.77.0.1";
/** Whom the rules let in only where they name it. */
export const stranger = "192.0.3.9";

export interface Arena {
  run(trial: Trial): Promise<Result>;
  /** The control: answered knocks of the stranger at a host without rules. */
  opensWithoutRules(): Promise<number>;
  close(): Promise<void>;
}

export interface Field {
  readonly gateway: string;
  readonly victim: Victim;
  readonly knocking: Knocking;
  /** Where programs for this host may lie. */
  readonly programs: string;
  close(): Promise<void>;
}

/** A host that answers on TCP 22 and 80 what its rules let in, and the two peers that knock there. */
export async function openField(): Promise<Field> {
  const topology = await buildTopology({
    prefix: newPrefix(),
    gateway: { interfaces: ["eth0"], addresses: [address] },
    machines: [
      { name: "admin", behind: "eth0", addresses: ["192.0.2.9"] },
      { name: "stranger", behind: "eth0", addresses: [stranger] },
    ],
  });
  const { gateway } = topology;
  const victim = await openHost(gateway);
  const children: ChildProcess[] = [];
  const start = (namespace: string, script: string, ...args: readonly string[]): ChildProcess => {
    const [command = "", ...argv] = inNamespace(namespace, process.execPath, here(script), ...args);
    const child = spawn(command, argv, { stdio: ["pipe", "pipe", "inherit"] });
    children.push(child);
    return child;
  };
  const listener = start(gateway, "../support/listener.ts", ...Object.values(ports).map(String));
  if (listener.stdout !== null) await once(listener.stdout, "data");
  const watch = (name: "stranger" | "admin"): ChildProcess =>
    start(topology.machine(name), "watch.ts", address, `${ports[name]}`);
  const knocking = openKnocking({
    host: gateway,
    idle: topology.hub("eth0"),
    stranger: watch("stranger"),
    admin: watch("admin"),
  });
  const programs = mkdtempSync(join(tmpdir(), "portcullis-crash-"));
  return {
    gateway,
    victim,
    knocking,
    programs,
    async close() {
      for (const child of children) child.kill("SIGKILL");
      await victim.close();
      await topology.destroy();
      rmSync(programs, { recursive: true, force: true });
    },
  };
}

export async function openArena(): Promise<Arena> {
  const field = await openField();
  const { gateway, victim, knocking, programs } = field;
  const next = filesOf(
    await publish(victim.authority, admitting("198.51.100.1", "203.0.113.9"), victim.second),
  );
  const context = {
    namespace: gateway,
    base: victim.directory,
    guard: victim.guardPath,
    nft: writeNft(programs, gateway),
    agent: await bundleAgent(programs),
    knocking,
    offer: (how: "next" | "nothing") => {
      if (how === "next") victim.plane.serve(next);
      else victim.plane.answer((_, response) => void response.writeHead(503).end());
    },
  };
  return {
    run: (trial) => runTrial(context, trial),
    async opensWithoutRules() {
      await must(inNamespace(gateway, "nft", "flush", "ruleset"));
      return (await knocksNow(knocking)).opens;
    },
    close: () => field.close(),
  };
}

/** Some knocks of both, as things stand. */
export async function knocksNow(knocking: Knocking): Promise<Counts> {
  await knocking.start();
  await knocking.knocked(10);
  return knocking.stop();
}

function openHost(gateway: string) {
  const exec = spawnExec({ prefix: inNamespace(gateway), timeoutSeconds: 20 });
  return openVictim({
    name: gateway,
    exec,
    ruleset: async () => (await exec(["nft", "-s", "list", "ruleset"], "")).stdout,
    clear: async () => void (await exec(["nft", "flush", "ruleset"], "")),
    close: async () => Promise.resolve(),
  });
}

/** The host's nft, for an agent and a watchdog that run outside its namespace. */
function writeNft(folder: string, gateway: string): string {
  const path = join(folder, "nft");
  writeFileSync(path, `#!/bin/sh\nexec ip netns exec ${gateway} nft "$@"\n`);
  chmodSync(path, 0o755);
  return path;
}

/** One file, as the shipped agent is: it starts in a fifth of the time, and a trial starts two. */
async function bundleAgent(folder: string): Promise<string> {
  const outfile = join(folder, "agent.mjs");
  const require =
    'import { createRequire as r } from "node:module"; const require = r(import.meta.url);';
  await build({
    entryPoints: [here("agent.ts")],
    outfile,
    bundle: true,
    platform: "node",
    target: "node24",
    format: "esm",
    banner: { js: require },
    logLevel: "warning",
  });
  return outfile;
}
