/** Held sessions, with real connections: a removed grant ends the flows it allowed, and only those. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Asking, cutFlows } from "#agent/flows/conntrack.ts";
import type { Rules } from "#agent/flows/flows.ts";
import { type Nft, openNft } from "#agent/backend/nft/nft.ts";
import { spawnExec, spawnStream } from "#agent/process/spawn.ts";
import { inNamespace, newPrefix } from "#lab/net/netns.ts";
import { must } from "#lab/run/process.ts";
import { buildTopology, type Topology } from "#lab/net/topology.ts";
import { Guard } from "#schema/guard.ts";
import { type Held, holdTo } from "#test/support/connections.ts";
import { mustRender, ruleOf, rulesetOf } from "#test/support/rulesets.ts";

const own = ["192.0.2.1", "2001:db8::1"] as const;
const stranger = ["203.0.113.9", "2001:db8:9::9"] as const;
const guard = Guard.parse({
  management: {
    interfaces: ["mgmt0"],
    allow: [{ cidr: "203.0.113.0/28", proto: "tcp", port: 2222 }],
  },
});

/** A host that lets these TCP ports in from anywhere. */
const allowing = (...ports: readonly number[]): Rules => ({
  ruleset: rulesetOf({
    scopes: [{ kind: "host" }],
    rules: ports.map((port) =>
      ruleOf({
        scope: "host",
        direction: "in",
        protocol: {
          kind: "tcp",
          ports: { kind: "ranges", ranges: [{ from: port, to: port }] },
          sourcePorts: { kind: "any" },
        },
        verdict: "accept",
        counter: `r_p${port}`,
      }),
    ),
  }),
  guard,
});

let topology: Topology;
let nft: Nft;
const servers: ChildProcess[] = [];
const clients: Held[] = [];

async function end(children: ChildProcess[]): Promise<void> {
  for (const child of children.splice(0)) {
    const ended = once(child, "exit");
    child.stdin?.end();
    await ended;
  }
}

async function start(
  namespace: string,
  file: string,
  ...args: readonly string[]
): Promise<ChildProcess> {
  const path = fileURLToPath(new URL(`../support/${file}`, import.meta.url));
  const [command = "", ...argv] = inNamespace(namespace, process.execPath, path, ...args);
  const child = spawn(command, argv, { stdio: ["pipe", "pipe", "inherit"] });
  if (child.stdout !== null) await once(child.stdout, "data");
  return child;
}

async function hold(from: string, ...targets: readonly string[]): Promise<Held> {
  const held = await holdTo(
    { drop: [topology.gateway], idle: topology.hub("eth0") },
    from,
    targets,
  );
  clients.push(held);
  return held;
}

const asking = (): Asking => {
  const prefix = inNamespace(topology.gateway);
  return { exec: spawnExec({ prefix }), stream: spawnStream(prefix) };
};
/** Entries of UDP flows to ports of this host, as if they had come, from 203.0.0.0 on: so many for each port. */
async function flows(count: number, ...targets: readonly number[]): Promise<void> {
  const lines = targets.flatMap((port) =>
    Array.from(
      { length: count },
      (_, i) =>
        `-I -p udp -s 203.${i >> 16}.${(i >> 8) & 255}.${i & 255} -d ${own[0]} --sport 9 --dport ${port} -t 600 -u SEEN_REPLY\n`,
    ),
  );
  const file = join(mkdtempSync(join(tmpdir(), "portcullis-flows-")), "flows");
  writeFileSync(file, lines.join(""));
  await must(inNamespace(topology.gateway, "conntrack", "--load-file", file), {
    timeoutMs: 60_000,
  });
  rmSync(dirname(file), { recursive: true });
}
/** How many entries there are for each of these ports. */
const tracked = async (...targets: readonly number[]): Promise<readonly number[]> => {
  const listing = await must(inNamespace(topology.gateway, "conntrack", "-L", "-p", "udp"), {
    timeoutMs: 60_000,
  });
  return targets.map((port) => listing.split(` dport=${port} `).length - 1);
};

const enforce = async (rules: Rules, before?: Rules) => {
  await nft.apply(mustRender(rules.ruleset, guard));
  return cutFlows(asking(), rules, before, 0);
};
const both = (port: number): readonly string[] => own.map((address) => `${address} ${port}`);

beforeAll(async () => {
  topology = await buildTopology({
    prefix: newPrefix(),
    gateway: { interfaces: ["eth0", "mgmt0"], addresses: own },
    machines: [
      { name: "stranger", behind: "eth0", addresses: stranger },
      { name: "console", behind: "mgmt0", addresses: ["10.255.0.2", "fd00:ff::2"] },
    ],
  });
  nft = openNft(spawnExec({ prefix: inNamespace(topology.gateway) }));
  servers.push(await start(topology.gateway, "pusher.ts", "2222", "5000", "6000"));
  servers.push(await start(topology.machine("stranger"), "pusher.ts", "7000"));
  // The kernel tracks flows only where a rule asks for their state: here one always does.
  await must(inNamespace(topology.gateway, "nft", "-f", "-"), { input: tracking });
});
afterAll(async () => {
  await end(servers);
  await topology.destroy();
});
beforeEach(() => must(inNamespace(topology.gateway, "conntrack", "-F")));
afterEach(() => Promise.all(clients.splice(0).map((held) => held.end())));

const tracking = `table inet tracking {
\tchain input {
\t\ttype filter hook input priority 0; policy accept;
\t\tct state new counter
\t}
}
`;

describe("a grant that is removed", () => {
  beforeEach(() => enforce(allowing(5000, 6000)));

  it("ends the sessions it allowed, though the server keeps sending, and no other, v4 and v6", async () => {
    const granted = await hold(topology.machine("stranger"), ...both(5000));
    const kept = await hold(topology.machine("stranger"), ...both(6000), "192.0.2.1 2222");
    const outward = await hold(topology.gateway, ...stranger.map((address) => `${address} 7000`));
    expect(await granted.ask()).toEqual(["alive", "alive"]);
    expect(await enforce(allowing(6000), allowing(5000, 6000))).toEqual({ ok: true, cut: 2 });
    expect(await granted.ask()).toEqual(["cut", "cut"]);
    expect(await kept.ask()).toEqual(["alive", "alive", "alive"]);
    expect(await outward.ask()).toEqual(["alive", "alive"]);
  });

  it("is not cut twice, and a grant that is added cuts nothing", async () => {
    const kept = await hold(topology.machine("stranger"), ...both(6000));
    expect(await enforce(allowing(6000), allowing(5000, 6000))).toEqual({ ok: true, cut: 0 });
    expect(await enforce(allowing(5000, 6000), allowing(6000))).toEqual({ ok: true, cut: 0 });
    expect(await kept.ask()).toEqual(["alive", "alive"]);
  });

  it("leaves what the rules before did not allow either: it came by another right", async () => {
    await nft.remove();
    const related = await hold(topology.machine("stranger"), "192.0.2.1 5000");
    expect(await enforce(allowing(6000), allowing(6000, 7000))).toEqual({ ok: true, cut: 0 });
    expect(await related.ask()).toEqual(["alive"]);
    expect(await enforce(allowing(6000))).toEqual({ ok: true, cut: 1 });
  });
});

it("keeps, at the first enforcement, every established session that the rules permit", async () => {
  await nft.remove();
  const permitted = await hold(topology.machine("stranger"), ...both(5000), "192.0.2.1 2222");
  const denied = await hold(topology.machine("stranger"), ...both(6000));
  expect(await enforce(allowing(5000))).toEqual({ ok: true, cut: 2 });
  expect(await permitted.ask()).toEqual(["alive", "alive", "alive"]);
  expect(await denied.ask()).toEqual(["cut", "cut"]);
});

it("never ends a session of the management plane", async () => {
  await enforce(allowing(5000));
  const console_ = await hold(topology.machine("console"), ...both(5000));
  const result = await enforce(allowing(), allowing(5000));
  expect(await console_.ask()).toEqual(["alive", "alive"]);
  expect(result).toEqual({ ok: true, cut: 0 });
});

/** UDP to these ports, from anywhere or from one network. */
const serving = (...grants: readonly (readonly [port: number, from?: string])[]): Rules => ({
  guard,
  ruleset: rulesetOf({
    scopes: [{ kind: "host" }],
    sets: grants.flatMap(([port, from]) =>
      from === undefined
        ? []
        : [{ name: `n_${port}`, kind: "networks" as const, elements: [from] }],
    ),
    rules: grants.map(([port, from]) =>
      ruleOf({
        scope: "host",
        direction: "in",
        protocol: {
          kind: "udp",
          ports: { kind: "ranges", ranges: [{ from: port, to: port }] },
          sourcePorts: { kind: "any" },
        },
        source: from === undefined ? { kind: "any" } : { kind: "set", set: `n_${port}` },
        verdict: "accept",
        counter: `r_p${port}`,
      }),
    ),
  }),
});

describe("beside very many flows", () => {
  it("cuts more than one listing finds, and no other", async () => {
    await flows(12_000, 53, 123);
    expect(await cutFlows(asking(), serving([123]), serving([53], [123]), 0)).toEqual({
      ok: true,
      cut: 12_000,
    });
    expect(await tracked(53, 123)).toEqual([0, 12_000]);
  }, 60_000);

  it("cuts those of the sources that lost their grant, and leaves the others to the same port", async () => {
    await flows(300, 53);
    const narrowed = serving([53, "203.0.0.0/24"]);
    expect(await cutFlows(asking(), narrowed, serving([53]), 0)).toEqual({ ok: true, cut: 44 });
    expect(await tracked(53)).toEqual([256]);
  });

  it.each<[string, Rules, Rules]>([
    ["a grant is added", serving([53], [123]), serving([53])],
    ["a network grows by another", serving([53]), serving([53])],
    ["nothing changes", serving([53, "203.0.0.0/24"]), serving([53, "203.0.0.0/24"])],
  ])("asks the host nothing where %s", async (_, now, before) => {
    const asked: string[] = [];
    const refuse = (argv: readonly string[]): never => {
      asked.push(argv.join(" "));
      throw new Error("expected no question");
    };
    const none = {
      exec: async (argv: readonly string[]) => refuse(argv),
      stream: async (argv: readonly string[]) => refuse(argv),
    };
    expect(await cutFlows(none, now, before, 0)).toEqual({ ok: true, cut: 0 });
    expect(asked).toEqual([]);
  });
});

it.each<[string, Partial<Asking>, RegExp]>([
  [
    "too much",
    { exec: () => Promise.reject(new Error("ip wrote more than 128 bytes")) },
    /wrote more than/,
  ],
  [
    "nonsense",
    { exec: async () => Promise.resolve({ status: 0, stdout: "eth0: up", stderr: "" }) },
    /expected addresses/,
  ],
  [
    "that it may not",
    { stream: async () => Promise.resolve({ status: 1, stderr: "not permitted\n" }) },
    /^ss ended with 1: not permitted$/,
  ],
])("says so where a program says %s, and nothing else fails", async (_, broken, why) => {
  expect(await cutFlows({ ...asking(), ...broken }, allowing(), undefined, 0)).toEqual({
    ok: false,
    why: expect.stringMatching(why) as string,
  });
});

it("says so where conntrack is missing, and nothing else fails", async () => {
  const prefix = ["/nonexistent/netns"];
  expect(
    await cutFlows(
      { exec: spawnExec({ prefix }), stream: spawnStream(prefix) },
      allowing(),
      undefined,
      0,
    ),
  ).toEqual({
    ok: false,
    why: "/nonexistent/netns: ENOENT",
  });
});
