/** Adoption with real packets: a new host counts and cuts nothing, says what it would cut, and then cuts just that. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { writeBeginning } from "#agent/cycle/adoption.ts";
import type { Agent } from "#agent/cycle/agent.ts";
import { spawnExec } from "#agent/process/spawn.ts";
import type { Adoption } from "#agent/commands/adopt.ts";
import { inNamespace, newPrefix } from "#lab/net/netns.ts";
import { must, run, waitUntil } from "#lab/run/process.ts";
import { buildTopology, type Topology } from "#lab/net/topology.ts";
import { filesOf, publish } from "#test/attack/plane.ts";
import { openJoined } from "#test/attack/victim.ts";
import { type Held, holdTo, knockAt, type Watched, type Word } from "#test/support/connections.ts";
import { ruleOf, rulesetOf } from "#test/support/rulesets.ts";

const own = ["192.0.2.1", "2001:db8::1"] as const;
const guard = `management:
  interfaces: [mgmt0]
  allow:
    - { cidr: 203.0.113.0/28, proto: tcp, port: 2222 }
`;
/** Lets in 5000 from anywhere and 5500 from one network. */
const ruleset = rulesetOf({
  scopes: [{ kind: "host" }],
  sets: [{ name: "n_lan", kind: "networks", elements: ["198.51.100.0/24"] }],
  rules: [
    ruleOf({
      row: "services/web",
      scope: "host",
      direction: "in",
      protocol: {
        kind: "tcp",
        ports: { kind: "ranges", ranges: [{ from: 5000, to: 5000 }] },
        sourcePorts: { kind: "any" },
      },
      verdict: "accept",
      counter: "r_web",
    }),
    ruleOf({
      row: "services/lan",
      scope: "host",
      direction: "in",
      protocol: {
        kind: "tcp",
        ports: { kind: "ranges", ranges: [{ from: 5500, to: 5500 }] },
        sourcePorts: { kind: "any" },
      },
      source: { kind: "set", set: "n_lan" },
      verdict: "accept",
      counter: "r_lan",
    }),
  ],
});

const path = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
const children: ChildProcess[] = [];
let topology: Topology;
let host: Awaited<ReturnType<typeof openJoined>>;
let agent: Agent;
let permitted: Held;
let denied: Held;

async function start(
  namespace: string,
  file: string,
  ...args: readonly string[]
): Promise<ChildProcess> {
  const [command = "", ...argv] = inNamespace(
    namespace,
    process.execPath,
    path(`../support/${file}`),
    ...args,
  );
  const child = spawn(command, argv, { stdio: ["pipe", "pipe", "inherit"] });
  children.push(child);
  if (child.stdout !== null) await once(child.stdout, "data");
  return child;
}

const watched = (): Watched => ({ drop: [topology.gateway], idle: topology.hub("eth0") });

async function knock(...ports: readonly number[]): Promise<readonly Word[]> {
  const targets = ports.flatMap((port) => own.map((address) => `${address} ${port}`));
  return knockAt(watched(), topology.machine("stranger"), targets);
}

/** The program itself, where the rules are. */
const command = (...args: readonly string[]) =>
  run(
    inNamespace(
      topology.gateway,
      process.execPath,
      path("../../agent/main.ts"),
      ...args,
      "--state-dir",
      host.directory,
      "--guard",
      host.guardPath,
    ),
  );
const foreseen = async (): Promise<Adoption> =>
  JSON.parse((await command("adopt", "--json")).stdout) as Adoption;
const cycle = () => agent.runCycle(new AbortController().signal);

beforeAll(async () => {
  topology = await buildTopology({
    prefix: newPrefix(),
    gateway: { interfaces: ["eth0", "mgmt0"], addresses: own },
    machines: [{ name: "stranger", behind: "eth0", addresses: ["203.0.113.9", "2001:db8:9::9"] }],
  });
  const exec = spawnExec({ prefix: inNamespace(topology.gateway), timeoutSeconds: 20 });
  host = await openJoined({ name: topology.gateway, exec });
  writeFileSync(host.guardPath, guard, { mode: 0o600 });
  writeBeginning(host.directory, "count");
  host.plane.serve(filesOf(await publish(host.authority, ruleset, undefined)));
  await start(topology.gateway, "pusher.ts", "2222", "5000", "5500", "6000");
  // Begun before anything of ours is loaded.
  const both = (port: number): readonly string[] => own.map((address) => `${address} ${port}`);
  const stranger = topology.machine("stranger");
  permitted = await holdTo(watched(), stranger, [...both(5000), "192.0.2.1 2222"]);
  denied = await holdTo(watched(), stranger, both(6000));
  agent = host.start();
});
afterAll(async () => {
  await permitted.end();
  await denied.end();
  for (const child of children.toReversed()) {
    const ended = once(child, "exit");
    child.stdin?.end();
    await ended;
  }
  await host.close();
  await topology.destroy();
});

it("counts what the first bundle would cut, and cuts nothing, v4 and v6", async () => {
  const { state, refusal } = await cycle();
  expect([state.kind, refusal]).toEqual(["adopting", undefined]);
  expect(await knock(5000, 5500, 6000)).toEqual(Array.from({ length: 6 }, () => "open"));
  expect(await permitted.ask()).toEqual(["alive", "alive", "alive"]);
  expect(await denied.ask()).toEqual(["alive", "alive"]);
});

it("lists each listener and each flow with the row that would cut it", async () => {
  const found = await foreseen();
  const end = { verdict: "drop", row: "overlays/test" };
  const listener = { protocol: "tcp", address: "::", process: expect.any(String) as string };
  expect(found).toMatchObject({
    bundle: { seq: 1 },
    state: "counting",
    would_cut: { listeners: 1, flows: 2 },
    listeners: [
      { ...listener, port: 2222, admitted_by: ["guard"], otherwise: end },
      { ...listener, port: 5000, admitted_by: ["services/web"], otherwise: { verdict: "accept" } },
      { ...listener, port: 5500, admitted_by: ["services/lan"], otherwise: end },
      { ...listener, port: 6000, admitted_by: [], otherwise: end },
    ],
    flows: [
      { direction: "in", port: 6000, peers: ["2001:db8:9::9", "203.0.113.9"], flows: 2, ...end },
    ],
    flows_unknown: null,
    refusal: null,
  });
  expect(found.counted.map(({ row }) => row)).toContain("overlays/test");
  const { code, stdout } = await command("adopt");
  expect(code).toBe(0);
  expect(stdout).toContain(
    "1 listeners and 2 flows would be cut\n'portcullis-agent adopt --yes' starts",
  );
  expect(stdout).toMatch(
    /tcp in 6000, .*, 2 with 2001:db8:9::9, 203\.0\.113\.9: drop by overlays\/test\n/,
  );
});

it("warns of a NetBird interface that the guard does not know", async () => {
  const link = inNamespace(topology.gateway, "ip", "link");
  await must([...link, "add", "wt0", "type", "veth", "peer", "name", "wt1"]);
  // Of this machine's units it may warn as well.
  const warnings = async () =>
    (await foreseen()).warnings.filter((warning) => warning.includes("NetBird"));
  expect(await warnings()).toEqual([expect.stringContaining("preset netbird")]);
  await must([...link, "delete", "wt0"]);
  expect(await warnings()).toEqual([]);
});

it("does not let adopt --yes begin beside a program of a cluster that the guard does not know", async () => {
  const program = join(host.directory, "..", "pveproxy");
  copyFileSync("/bin/sleep", program);
  const [ip = "", ...argv] = inNamespace(topology.gateway, program, "3600");
  const cluster = spawn(ip, argv, { stdio: "ignore" });
  const ended = once(cluster, "exit");
  try {
    await waitUntil("the program", async () =>
      readFileSync(`/proc/${cluster.pid}/comm`, "utf8") === "pveproxy\n" ? true : undefined,
    );
    expect((await foreseen()).refusal?.code).toBe("preset_missing");
    expect(await command("adopt", "--yes")).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("preset_missing: pveproxy runs here") as string,
    });
    expect((await foreseen()).state).toBe("counting");
  } finally {
    cluster.kill("SIGKILL");
    await ended;
  }
});

it("refuses the first enforcement on a node of a cluster that the guard does not know, and says why", async () => {
  expect((await command("adopt", "--yes")).code).toBe(0);
  agent = host.start({ processes: () => ["sshd", "pveproxy worker"] });
  const { state, refusal } = await cycle();
  expect([state.kind, refusal?.code]).toEqual(["adopting", "preset_missing"]);
  expect((await command("status")).stdout).toContain("refused   preset_missing");
  expect(
    host.plane.asked.some(
      ({ path: to, body }) => to.endsWith("report") && body.includes("preset_missing"),
    ),
  ).toBe(true);
  expect(await knock(6000)).toEqual(["open", "open"]);
  expect((await foreseen()).state).toBe("asked");
});

it("then enforces by the ordinary apply: what was listed ends, and no session that is permitted", async () => {
  agent = host.start();
  expect((await cycle()).state.kind).toBe("steady");
  expect(await denied.ask()).toEqual(["cut", "cut"]);
  expect(await permitted.ask()).toEqual(["alive", "alive", "alive"]);
  expect(await knock(5000, 6000)).toEqual(["open", "open", "silent", "silent"]);
  expect(host.log).toContain("cut 2 flows that lost their grant");
  expect(await command("adopt", "--yes")).toMatchObject({
    code: 0,
    stdout: "this host enforces already\n",
  });
  expect(await foreseen()).toMatchObject({ state: "enforcing", would_cut: { flows: 0 } });
});

it("says of a port that somebody else hands on that strangers may reach it, which they do, and not that nobody does", async () => {
  expect(await knock(6000)).toEqual(["silent", "silent"]);
  expect((await command("adopt")).stdout).toMatch(/nobody reaches any more.*\n.*tcp 6000 on ::/);
  const chain =
    "chain pre { type nat hook prerouting priority dstnat; tcp dport 6000 redirect to :5000; }";
  await must(inNamespace(topology.gateway, "nft", `table inet theirs { ${chain}; }`));
  expect(await knock(6000)).toEqual(["open", "open"]);
  const found = await foreseen();
  expect(found.redirects).toMatchObject([
    { family: "inet", table: "theirs", chain: "pre", from: 6000, to: 6000 },
  ]);
  expect(found.listeners.find(({ port }) => port === 6000)?.redirected_by).toEqual([
    "inet theirs pre",
  ]);
  expect(found.would_cut.listeners).toBe(0);
  const { stdout } = await command("adopt");
  expect(stdout).not.toContain("nobody reaches");
  expect(stdout).toMatch(
    /strangers may reach by others' address translation.*\n {2}tcp 6000 on ::.*: inet theirs pre\n/,
  );
  agent = host.start();
  await cycle();
  expect((await command("status")).stdout).toContain(
    "redirect  strangers may reach tcp 6000 by inet theirs pre",
  );
  await must(inNamespace(topology.gateway, "nft", "delete table inet theirs"));
});
