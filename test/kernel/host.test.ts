/** The host's own traffic, with real connections: management first, closed means closed, and a host still reaches out. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Nft, openNft } from "#agent/backend/nft/nft.ts";
import { spawnExec } from "#agent/process/spawn.ts";
import { inNamespace, newPrefix } from "#lab/net/netns.ts";
import { run } from "#lab/run/process.ts";
import { buildTopology, type Topology } from "#lab/net/topology.ts";
import { type Program, renderClosed } from "#core/render/index.ts";
import { Guard } from "#schema/guard.ts";
import { holdTo, knockAt, type Watched, type Word } from "#test/support/connections.ts";
import { mustRender, ruleOf, rulesetOf } from "#test/support/rulesets.ts";

const own = ["192.0.2.1", "2001:db8::1"] as const;
const guard = Guard.parse({
  management: {
    interfaces: ["mgmt0"],
    allow: [
      { cidr: "198.51.100.0/28", proto: "tcp", port: 22 },
      { cidr: "2001:db8:5::/64", proto: "tcp", port: 22 },
    ],
  },
});

const program = (name: string): string =>
  fileURLToPath(new URL(`../support/${name}`, import.meta.url));

let topology: Topology;
let nft: Nft;
const listeners: ChildProcess[] = [];

async function started(namespace: string, file: string, ...argv: readonly string[]) {
  const [command = "", ...args] = inNamespace(namespace, process.execPath, program(file), ...argv);
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  await once(child.stdout, "data");
  return child;
}

async function listen(namespace: string, ...ports: readonly number[]): Promise<void> {
  listeners.push(await started(namespace, "listener.ts", ...ports.map(String)));
}

const watched = (): Watched => ({ drop: [topology.gateway], idle: topology.hub("eth0") });

/** One word for each target; all are knocked at together. */
const knock = (from: string, ...targets: readonly string[]): Promise<readonly Word[]> =>
  knockAt(watched(), from, targets);

beforeAll(async () => {
  topology = await buildTopology({
    prefix: newPrefix(),
    gateway: { interfaces: ["eth0", "mgmt0"], addresses: own },
    machines: [
      { name: "admin", behind: "eth0", addresses: ["198.51.100.2", "2001:db8:5::2"] },
      { name: "stranger", behind: "eth0", addresses: ["203.0.113.9", "2001:db8:9::9"] },
      { name: "console", behind: "mgmt0", addresses: ["10.255.0.2", "fd00:ff::2"] },
    ],
  });
  nft = openNft(spawnExec({ prefix: inNamespace(topology.gateway) }));
  await listen(topology.gateway, 22, 80);
  await listen(topology.machine("stranger"), 443);
});
afterAll(async () => {
  for (const listener of listeners) {
    const ended = once(listener, "exit");
    listener.stdin?.end();
    await ended;
  }
  await topology.destroy();
});

const ports = (...numbers: readonly number[]): readonly string[] =>
  numbers.flatMap((port) => own.map((address) => `${address} ${port}`));
const ping = async (from: string, to: string): Promise<boolean> =>
  (await run(inNamespace(from, "ping", "-n", "-q", "-c", "1", "-w", "120", to))).code === 0;

/** What must hold whatever rules a host has. */
async function expectLifeline(): Promise<void> {
  expect(await knock(topology.machine("admin"), ...ports(22))).toEqual(["open", "open"]);
  expect(await knock(topology.machine("console"), ...ports(22, 80))).toEqual([
    "open",
    "open",
    "open",
    "open",
  ]);
  expect(
    await knock(topology.gateway, "203.0.113.9 443", "2001:db8:9::9 443", "127.0.0.1 80", "::1 80"),
  ).toEqual(["open", "open", "open", "open"]);
  for (const address of own) expect(await ping(topology.machine("stranger"), address)).toBe(true);
}

it("reaches everything while nothing is loaded, so a silence below is a verdict", async () => {
  for (const name of ["admin", "stranger", "console"])
    expect(await knock(topology.machine(name), ...ports(22, 80))).toEqual([
      "open",
      "open",
      "open",
      "open",
    ]);
  expect(await knock(topology.machine("admin"), "203.0.113.9 443", "2001:db8:9::9 443")).toEqual([
    "open",
    "open",
  ]);
});

describe("the closed ruleset", () => {
  beforeAll(async () => {
    await nft.apply(renderClosed(guard));
    await nft.readback(renderClosed(guard));
  });

  it("leaves management open and the host able to reach out, v4 and v6", expectLifeline);

  it("shuts everything else that comes in, v4 and v6", async () => {
    const silent = ["silent", "silent"];
    expect(await knock(topology.machine("admin"), ...ports(80))).toEqual(silent);
    expect(await knock(topology.machine("stranger"), ...ports(22))).toEqual(silent);
    expect(await knock(topology.machine("stranger"), ...ports(80))).toEqual(silent);
  });

  it("forwards nothing", async () => {
    const targets = ["203.0.113.9 443", "2001:db8:9::9 443"];
    expect(await knock(topology.machine("admin"), ...targets)).toEqual(["silent", "silent"]);
  });
});

describe("a host scope whose rules drop everything that comes in", () => {
  beforeAll(async () => {
    const drop = ruleOf({ scope: "host", direction: "in", verdict: "drop", counter: "r_in" });
    await nft.apply(mustRender(rulesetOf({ scopes: [{ kind: "host" }], rules: [drop] }), guard));
  });

  it("cannot lock management out, v4 and v6", expectLifeline);

  it("leaves forwarding alone, as no scope declares it", async () => {
    const targets = ["203.0.113.9 443", "2001:db8:9::9 443"];
    expect(await knock(topology.machine("admin"), ...targets)).toEqual(["open", "open"]);
  });
});

it("narrows output when rules say so, and still answers", async () => {
  const ruleset = rulesetOf({
    scopes: [{ kind: "host" }],
    rules: [ruleOf({ scope: "host", direction: "out", verdict: "drop", counter: "r_out" })],
  });
  await nft.apply(mustRender(ruleset, guard));
  expect(await knock(topology.gateway, "203.0.113.9 443", "2001:db8:9::9 443")).toEqual([
    "silent",
    "silent",
  ]);
  expect(await knock(topology.machine("admin"), ...ports(22))).toEqual(["open", "open"]);
});

describe("a ruleset that is about nothing", () => {
  beforeAll(async () => {
    await nft.apply(mustRender(rulesetOf({}), guard));
  });

  it("leaves management open and the host able to reach out, v4 and v6, as any", expectLifeline);

  it("opens nothing else: what nobody judges does not come in, v4 and v6", async () => {
    const silent = ["silent", "silent"];
    expect(await knock(topology.machine("admin"), ...ports(80))).toEqual(silent);
    expect(await knock(topology.machine("stranger"), ...ports(22))).toEqual(silent);
    expect(await knock(topology.machine("stranger"), ...ports(80))).toEqual(silent);
  });
});

describe("a host scope whose rules drop everything that goes out", () => {
  const consoles = ["10.255.0.2 80", "fd00:ff::2 80"];
  beforeAll(async () => {
    await listen(topology.machine("console"), 80);
    const drop = ruleOf({ scope: "host", direction: "out", verdict: "drop", counter: "r_out" });
    await nft.apply(mustRender(rulesetOf({ scopes: [{ kind: "host" }], rules: [drop] }), guard));
  });

  it("cuts nothing that leaves by a management interface, whoever begins, v4 and v6", async () => {
    expect(await knock(topology.gateway, ...consoles)).toEqual(["open", "open"]);
    expect(await knock(topology.machine("console"), ...ports(22, 80))).toEqual([
      "open",
      "open",
      "open",
      "open",
    ]);
  });

  it("cuts no answer of management's flows, and everything else that the host begins, v4 and v6", async () => {
    expect(await knock(topology.machine("admin"), ...ports(22))).toEqual(["open", "open"]);
    expect(await knock(topology.gateway, "203.0.113.9 443", "2001:db8:9::9 443")).toEqual([
      "silent",
      "silent",
    ]);
  });
});

describe("a guard that narrows output", () => {
  const narrowed = Guard.parse({
    ...guard,
    output: {
      allow: [
        { cidr: "203.0.113.0/28", proto: "tcp", port: 443 },
        { cidr: "2001:db8:9::/64", proto: "tcp", port: 443 },
      ],
    },
  });
  const open = ["open", "open"];
  const silent = ["silent", "silent"];
  const host = { scope: "host", verdict: "accept" } as const;
  const scopes = [{ kind: "host" as const }];
  const everything = [
    ruleOf({ ...host, direction: "out", counter: "r_out" }),
    ruleOf({ ...host, direction: "in", counter: "r_in" }),
  ];
  const refusing = [ruleOf({ ...host, verdict: "drop", direction: "out", counter: "r_out" })];
  const elsewhere = ["198.51.100.2 443", "2001:db8:5::2 443", "203.0.113.9 80", "2001:db8:9::9 80"];
  const named = ["203.0.113.9 443", "2001:db8:9::9 443"];
  const begin = (...targets: readonly string[]) => knock(topology.gateway, ...targets);

  beforeAll(async () => {
    await listen(topology.machine("admin"), 443);
    await listen(topology.machine("stranger"), 80);
  });

  it.each<[string, Program]>([
    ["closed", renderClosed(narrowed)],
    [
      "whose bundle opens everything",
      mustRender(rulesetOf({ scopes, rules: everything }), narrowed),
    ],
    ["whose bundle is about nothing", mustRender(rulesetOf({}), narrowed)],
  ])("lets a host %s begin what it names and nothing else, v4 and v6", async (_, wanted) => {
    await nft.remove();
    expect(await begin(...elsewhere)).toEqual([...open, ...open]);
    await nft.apply(wanted);
    await nft.readback(wanted);
    expect(await begin(...elsewhere)).toEqual([...silent, ...silent]);
    await expectLifeline();
  });

  it("opens nothing that the bundle's own rules refuse, and management answers all the same", async () => {
    await nft.apply(mustRender(rulesetOf({ scopes, rules: refusing }), narrowed));
    expect(await begin(...named, ...elsewhere)).toEqual([...silent, ...silent, ...silent]);
    expect(await knock(topology.machine("admin"), ...ports(22))).toEqual(open);
  });

  it("keeps sessions that were there before it, and a closed host narrowed anew begins again", async () => {
    await nft.apply(renderClosed(guard));
    listeners.push(await started(topology.machine("admin"), "pusher.ts", "8080"));
    const session = await holdTo(watched(), topology.gateway, [
      "198.51.100.2 8080",
      "2001:db8:5::2 8080",
    ]);
    await nft.apply(renderClosed(narrowed));
    expect(await session.ask()).toEqual(["alive", "alive"]);
    await session.end();
    expect(await begin("198.51.100.2 8080", "2001:db8:5::2 8080")).toEqual(silent);
    await nft.apply(renderClosed(guard));
    expect(await begin(...named, ...elsewhere)).toEqual([...open, ...open, ...open]);
  });
});

it("rejects TCP at once with a reset, whether or not the rule names TCP, v4 and v6", async () => {
  const reject = { scope: "host", direction: "in", verdict: "reject" } as const;
  const ruleset = rulesetOf({
    scopes: [{ kind: "host" }],
    rules: [
      ruleOf({
        ...reject,
        protocol: {
          kind: "tcp",
          ports: { kind: "ranges", ranges: [{ from: 80, to: 80 }] },
          sourcePorts: { kind: "any" },
        },
        counter: "r_web",
      }),
      ruleOf({ ...reject, counter: "r_rest" }),
    ],
  });
  await nft.apply(mustRender(ruleset, guard));
  expect(await knock(topology.machine("stranger"), ...ports(80, 81))).toEqual([
    "refused",
    "refused",
    "refused",
    "refused",
  ]);
  const counted = new Map((await nft.counters()).map(({ name, packets }) => [name, packets]));
  expect([counted.get("r_web"), counted.get("r_rest"), counted.get("r_end_in_host")]).toEqual([
    2, 2, 0,
  ]);
});

it("opens everything again when the table is removed", async () => {
  await nft.remove();
  expect(await knock(topology.machine("stranger"), ...ports(22, 80))).toEqual([
    "open",
    "open",
    "open",
    "open",
  ]);
});
