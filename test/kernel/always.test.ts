/**
 * What always passes, with what real kernels send on one link: a bridge that asks who wants which multicast group, a
 * DHCPv6 server that answers from any port, neighbours that answer a ping to all of them. Closed, the hardest case: a
 * program of any bundle lets the same pass before its first rule.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openNft } from "#agent/backend/nft/nft.ts";
import { spawnExec } from "#agent/process/spawn.ts";
import {
  inNamespace,
  runIpBatch,
  joinByCable,
  makeNamespaces,
  makeNamespaceName,
  newPrefix,
  removeNamespaces,
} from "#lab/net/netns.ts";
import { must, run, waitUntil } from "#lab/run/process.ts";
import { type Program, renderClosed } from "#core/render/index.ts";
import { Guard } from "#schema/guard.ts";
import { knockAt } from "#test/support/connections.ts";
import { openSenders } from "#test/support/senders.ts";
import { mustRender, ruleOf, rulesetOf } from "#test/support/rulesets.ts";

const prefix = newPrefix();
const [host, router] = [makeNamespaceName(prefix, "host"), makeNamespaceName(prefix, "router")];
const [own, routers] = [
  ["192.0.2.1/24", "2001:db8::1/64", "fe80::1/64"],
  ["192.0.2.2/24", "2001:db8::2/64", "fe80::2/64"],
] as const;
const program = (name: string): string =>
  fileURLToPath(new URL(`../support/${name}`, import.meta.url));
const children = new Set<ChildProcess>();

interface Started {
  /** Its lines so far, the first of which says that it is at work. */
  readonly said: readonly string[];
  readonly end: () => Promise<void>;
}

/** Starts one of the support programs, and reads what it says. */
async function started(
  namespace: string,
  file: string,
  ...argv: readonly string[]
): Promise<Started> {
  const [command = "", ...args] = inNamespace(namespace, process.execPath, program(file), ...argv);
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  children.add(child);
  const said: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => void said.push(line));
  await waitUntil(`${file} to start`, async () => Promise.resolve(said[0]));
  const end = async (): Promise<void> => {
    const ended = once(child, "exit");
    child.stdin.end();
    await ended;
    children.delete(child);
  };
  return { said, end };
}

/** SYN and FIN in one segment. */
const nonsense = `add table inet nonsense
delete table inet nonsense
table inet nonsense {
	chain out {
		type filter hook output priority 300; policy accept;
		tcp dport 9 tcp flags set syn | fin
	}
}
`;
const observed = `table inet observer {
	counter queries { }
	counter reports { }
	counter mld_queries { }
	counter mld_reports { }
	chain before {
		type filter hook prerouting priority -300; policy accept;
		ip protocol igmp counter name queries
		icmpv6 type mld-listener-query counter name mld_queries
	}
	chain behind {
		type filter hook postrouting priority 300; policy accept;
		ip protocol igmp counter name reports
		icmpv6 type mld2-listener-report counter name mld_reports
	}
}
`.replaceAll("{ }", "{\n\t}");

async function count(name: string): Promise<number> {
  const text = await must(inNamespace(host, "nft", "list", "counter", "inet", "observer", name));
  return Number(/packets (\d+)/.exec(text)?.[1]);
}

beforeAll(async () => {
  await makeNamespaces([host, router]);
  await joinByCable(
    { namespace: host, device: "eth0", addresses: [...own] },
    { namespace: router, device: "port", addresses: [] },
  );
  await runIpBatch(router, [
    "link add br0 type bridge mcast_snooping 1 mcast_querier 1 mcast_query_use_ifaddr 1 mcast_igmp_version 3 mcast_mld_version 2 mcast_query_interval 50 mcast_query_response_interval 10 mcast_startup_query_interval 50",
    "link set port master br0",
    ...routers.map(
      (address) => `address add ${address} dev br0${address.includes(":") ? " nodad" : ""}`,
    ),
    "link set br0 up",
  ]);
  await must(inNamespace(host, "nft", "-f", "-"), { input: observed });
});
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await removeNamespaces([host, router]);
});

const guard = Guard.parse({ management: { interfaces: ["mgmt0"] } });
const narrowed = Guard.parse({
  ...guard,
  output: { allow: [{ cidr: "198.51.100.1/32", proto: "tcp", port: 443 }] },
});
const drops = (["in", "out"] as const).map((direction) =>
  ruleOf({ scope: "host", direction, verdict: "drop", counter: `r_${direction}` }),
);

describe.each<[string, Program]>([
  ["closed", renderClosed(guard)],
  ["closed, and narrowed by its guard", renderClosed(narrowed)],
  [
    "whose bundle drops everything, in and out",
    mustRender(rulesetOf({ scopes: [{ kind: "host" }], rules: drops })),
  ],
])("a host that is %s", (_, wanted) => {
  const nft = openNft(spawnExec({ prefix: inNamespace(host) }));
  beforeEach(async () => {
    await nft.apply(wanted);
    await nft.readback(wanted);
  });

  it("answers those who ask for its multicast groups, v4 and v6", async () => {
    const groups = await started(host, "groups.ts", "239.1.2.3%192.0.2.1", "ff02::1:2345%eth0");
    const names = ["queries", "reports", "mld_queries", "mld_reports"];
    const before = await Promise.all(names.map(count));
    // What a join says by itself comes twice at most (RFC 3376 §8.11, RFC 3810 §9.14.1).
    const answered = async (): Promise<true | undefined> => {
      const now = await Promise.all(names.map(count));
      return now.every((packets, i) => packets > (before[i] ?? 0) + 3) ? true : undefined;
    };
    expect(await waitUntil("queries to be answered", answered)).toBe(true);
    await groups.end();
  });

  it("takes a DHCPv6 answer from any port and address, to its link-local address alone", async () => {
    const client = await started(host, "datagrams.ts", "546");
    const server = openSenders();
    const from = {
      hook: "output",
      oif: "br0",
      source: "2001:db8::2",
      state: "new",
      protocol: "udp",
    } as const;
    for (const [destination, sourcePort] of [
      ["2001:db8::1", 547],
      ["fe80::1%br0", 49_152],
      ["fe80::1%br0", 547],
    ] as const)
      await server.send(router, { ...from, destination, sourcePort, port: 546 });
    await waitUntil("answers", async () => Promise.resolve(client.said[2]));
    expect(client.said).toEqual(["ready", "2001:db8::2 49152", "2001:db8::2 547"]);
    await server.close();
    await client.end();
  });

  it("hears its neighbours answer a ping to all of them", async () => {
    const answering = new Set<string>();
    await waitUntil("both neighbours to answer", async () => {
      const argv = ["ping", "-6", "-n", "-c", "2", "-w", "10", "ff02::1%eth0"];
      const { stdout } = await run(inNamespace(host, ...argv));
      for (const [, address = ""] of stdout.matchAll(/from (fe80::\S+)%eth0: /g))
        answering.add(address);
      return answering.size === 2 ? true : undefined;
    });
    expect(answering.size).toBe(2);
  });

  it.each(["192.0.2.1", "[2001:db8::1]"])(
    "counts what conntrack can make nothing of, to %s",
    async (address) => {
      const invalid = async (): Promise<number> =>
        (await nft.counters()).find(({ name }) => name === "c_invalid")?.packets ?? NaN;
      await must(inNamespace(router, "nft", "-f", "-"), { input: nonsense });
      const before = await invalid();
      const target = `${address.replace(/[[\]]/g, "")} 9`;
      expect(await knockAt({ drop: [host], idle: router }, router, [target])).toEqual(["silent"]);
      expect(await invalid()).toBeGreaterThan(before);
    },
  );
});
