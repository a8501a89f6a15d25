/** The catalog on real hosts, with real connections: what it names is open to whom it names, all else is shut. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openNft } from "#agent/backend/nft/nft.ts";
import { spawnExec } from "#agent/process/spawn.ts";
import { compile } from "#core/compile/index.ts";
import { inNamespace, runIpBatch, newPrefix } from "#lab/net/netns.ts";
import { run, waitUntil } from "#lab/run/process.ts";
import { buildTopology, type Topology } from "#lab/net/topology.ts";
import { Guard } from "#schema/guard.ts";
import type { Ruleset } from "#schema/ruleset.ts";
import { knockAt, type Word } from "#test/support/connections.ts";
import { snapshotOf } from "#test/support/intent.ts";
import { render } from "#core/render/index.ts";
import { mustRender, ruleOf, rulesetOf } from "#test/support/rulesets.ts";

/** The gateway of the topology plays each host in turn. */
const own = ["192.0.2.1", "2001:db8::1"] as const;
const people = {
  laptop: ["10.1.0.9", "fd00:1::9"],
  proxy: ["10.2.0.2", "fd00:2::2"],
  stranger: ["203.0.113.9", "2001:db8:9::9"],
  admin: ["198.51.100.2", "2001:db8:5::2"],
} as const;
type Person = keyof typeof people;
const ports = [22, 53, 80, 443, 2342, 9100] as const;

const guard = Guard.parse({
  management: {
    interfaces: [],
    allow: [
      { cidr: "198.51.100.0/28", proto: "tcp", port: 22 },
      { cidr: "2001:db8:5::/64", proto: "tcp", port: 22 },
    ],
  },
});

const compiled = compile(
  snapshotOf([
    { kind: "zone", key: "lan", body: { cidrs: ["10.1.0.0/16", "fd00:1::/64"] } },
    {
      kind: "host",
      key: "front",
      body: { addresses: [...people.proxy], roles: ["reverse_proxy"] },
    },
    { kind: "host", key: "photos", body: { roles: ["photoprism", "metrics"] } },
    { kind: "host", key: "plain", body: {} },
    {
      kind: "service",
      key: "reverse_proxy",
      body: {
        ingress: [
          { from: "lan", port: 443, proto: "tcp" },
          { from: "any", port: 80, proto: "tcp" },
        ],
      },
    },
    {
      kind: "service",
      key: "photoprism",
      body: { ingress: [{ from: "role:reverse_proxy", port: 2342, proto: "tcp" }] },
    },
    {
      kind: "service",
      key: "metrics",
      body: { ingress: [{ from: "lan", port: "9000-9200", proto: "tcp" }] },
    },
  ]),
);
function rulesetFor(host: string): Ruleset {
  const ruleset = compiled.ok ? compiled.rulesets.get(host) : undefined;
  if (ruleset === undefined) throw new Error(`no ruleset for ${host}: ${JSON.stringify(compiled)}`);
  return ruleset;
}

/** What each may reach, everything else being silent. */
const open: Readonly<Record<string, Readonly<Record<Person, readonly number[]>>>> = {
  front: { laptop: [80, 443], proxy: [80], stranger: [80], admin: [22, 80] },
  photos: { laptop: [9100], proxy: [2342], stranger: [], admin: [22] },
  plain: { laptop: [], proxy: [], stranger: [], admin: [22] },
};

let topology: Topology;
const children: ChildProcess[] = [];

async function startIn(
  namespace: string,
  file: string,
  ...args: readonly string[]
): Promise<ChildProcess> {
  const program = fileURLToPath(new URL(`../support/${file}`, import.meta.url));
  const [command = "", ...words] = inNamespace(namespace, process.execPath, program, ...args);
  const child = spawn(command, words, { stdio: ["pipe", "pipe", "inherit"] });
  children.push(child);
  await once(child.stdout, "data");
  return child;
}

const knock = (from: Person, ...targets: readonly string[]): Promise<readonly Word[]> =>
  knockAt(
    { drop: [topology.gateway], idle: topology.hub("eth0") },
    topology.machine(from),
    targets,
  );
const each = (numbers: readonly number[]): readonly string[] =>
  numbers.flatMap((port) => own.map((address) => `${address} ${port}`));

/** @param zone how nft reads local time, as in TZ of tzset(3) */
const nftIn = (zone = "UTC0") =>
  openNft(spawnExec({ prefix: inNamespace(topology.gateway, "env", `TZ=${zone}`) }));

beforeAll(async () => {
  topology = await buildTopology({
    prefix: newPrefix(),
    gateway: { interfaces: ["eth0", "eth1"], addresses: own },
    machines: Object.entries(people).map(([name, addresses]) => ({
      name,
      behind: name === "laptop" ? "eth1" : "eth0",
      addresses,
    })),
  });
  await startIn(topology.gateway, "listener.ts", ...ports.map(String));
  await startIn(topology.gateway, "echo.ts", "serve", "9200");
});
afterAll(async () => {
  for (const child of children) {
    const ended = once(child, "exit");
    child.stdin?.end();
    await ended;
  }
  await topology.destroy();
});

it("reaches every port while nothing is loaded, so that a silence below is a verdict", async () => {
  for (const who of Object.keys(people) as Person[])
    expect(await knock(who, ...each(ports))).toEqual(each(ports).map(() => "open"));
});

describe.each(Object.entries(open))("host %s", (host, reach) => {
  beforeAll(async () => {
    const nft = nftIn();
    await nft.apply(mustRender(rulesetFor(host), guard));
    await nft.readback(mustRender(rulesetFor(host), guard));
  });

  it.each(Object.entries(reach))(
    "is open to %s on %j and shut on every other port, v4 and v6",
    async (who, may) => {
      const expected = ports.flatMap((port) =>
        own.map(() => (may.includes(port) ? "open" : "silent")),
      );
      expect(await knock(who as Person, ...each(ports))).toEqual(expected);
    },
  );

  it("answers a ping from anywhere right after neighbours are forgotten, v4 and v6", async () => {
    for (const namespace of [topology.gateway, topology.hub("eth0"), topology.machine("stranger")])
      await runIpBatch(namespace, ["neigh flush all"]);
    for (const address of own) {
      const argv = ["ping", "-n", "-q", "-c", "1", "-w", "120", address];
      expect((await run(inNamespace(topology.machine("stranger"), ...argv))).code).toBe(0);
    }
  });
});

it("keeps an open connection through applies of the same, of another and of the same rules again", async () => {
  const nft = nftIn();
  await nft.apply(mustRender(rulesetFor("photos"), guard));
  const client = await startIn(topology.machine("laptop"), "echo.ts", "connect", own[0], "9200");
  for (const host of ["photos", "plain", "photos"]) {
    await nft.apply(mustRender(rulesetFor(host), guard));
    const answered = client.stdout === null ? undefined : once(client.stdout, "data");
    client.stdin?.write(`${host}\n`);
    expect(`${(await answered)?.[0]}`).toBe(`${host}\n`);
  }
});

it.each(["EAST-14", "WEST+12"])(
  "ends a grant at its second of UTC where local time is %s",
  async (zone) => {
    const seconds = (): number => Math.floor(Date.now() / 1000);
    const nft = nftIn(zone);
    /** What comes of a knock under a grant that ends in so many seconds; again where the knock took longer than that. */
    const knockBefore = async (
      span: number,
    ): Promise<{ expires: number; answers: readonly Word[] }> => {
      const expires = seconds() + span;
      const rules = [
        ruleOf({
          scope: "host",
          direction: "in",
          verdict: "accept",
          counter: "r_short",
          protocol: {
            kind: "tcp",
            ports: { kind: "ranges", ranges: [{ from: 443, to: 443 }] },
            sourcePorts: { kind: "any" },
          },
          expires,
        }),
      ];
      await nft.apply(mustRender(rulesetOf({ scopes: [{ kind: "host" }], rules }), guard));
      const answers = await knock("stranger", ...each([443]));
      return seconds() < expires ? { expires, answers } : knockBefore(2 * span);
    };
    const { expires, answers } = await knockBefore(3);
    expect(answers).toEqual(["open", "open"]);
    await waitUntil("the grant to end", async () =>
      (await knock("stranger", ...each([443]))).includes("silent") ? true : undefined,
    );
    expect(seconds()).toBeGreaterThanOrEqual(expires);
    expect(await knock("stranger", ...each([443]))).toEqual(["silent", "silent"]);
  },
);

it("lets somebody in by a grant that ends only once the clock has reached when it was made", async () => {
  const now = Math.floor(Date.now() / 1000);
  const rules = [443, 2342].map((port) =>
    ruleOf({
      scope: "host",
      direction: "in",
      verdict: "accept",
      counter: `r_p${port}`,
      protocol: {
        kind: "tcp",
        ports: { kind: "ranges", ranges: [{ from: port, to: port }] },
        sourcePorts: { kind: "any" },
      },
      expires: port === 443 ? now + 3_600 : null,
    }),
  );
  const ruleset = rulesetOf({ scopes: [{ kind: "host" }], rules });
  const answers = async (since: number): Promise<readonly string[]> => {
    const rendered = render(ruleset, guard, since);
    if (!rendered.ok) throw new Error(rendered.message);
    await nftIn().apply(rendered.program);
    return knock("stranger", ...each([443, 2342]));
  };
  expect(await answers(now - 60)).toEqual(["open", "open", "open", "open"]);
  expect(await answers(now + 1_800)).toEqual(["silent", "silent", "open", "open"]);
});
