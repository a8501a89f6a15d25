/**
 * Verdict lines as real packets. A gateway in a namespace holds the rendered program; each line's packet comes in by
 * its interface and is looked for behind our chains, at the end of the gateway's own path. Hubs swallow what leaves,
 * so that nothing answers and every counter can be asked for exactly one packet.
 */
import * as z from "zod";
import { newPrefix, inNamespace } from "#lab/netns.ts";
import { must } from "#lab/process.ts";
import { buildTopology, type Topology, type TopologyPlan } from "#lab/topology.ts";
import type { Packet } from "#simulate/index.ts";
import { openSenders, type Senders } from "./senders.ts";
import type { VerdictLine } from "./verdicts.ts";

export interface Seen {
  /** Whether the packet came out behind our chains. */
  readonly passed: boolean;
  /** Counters of ours that are not zero. */
  readonly counters: ReadonlyMap<string, number>;
}

export interface Replay {
  readonly gateway: string;
  /** @throws Error when the packet never reached the gateway, which is no verdict */
  send(line: VerdictLine): Promise<Seen>;
  /** All packets at once; whether each passed. Each destination must always leave by the same interface. */
  sendAll(): Promise<readonly boolean[]>;
  destroy(): Promise<void>;
}

/** A gateway with every interface and address that the lines name. */
export async function openReplay(lines: readonly VerdictLine[]): Promise<Replay> {
  const plan = planFor(lines);
  const topology = rememberRoutes(await buildTopology(plan));
  const senders = openSenders();
  const destroy = async (): Promise<void> => {
    await senders.close();
    await topology.destroy();
  };
  try {
    await Promise.all(plan.gateway.interfaces.map((device) => swallow(topology.hub(device))));
    const file = observer(lines);
    await must(inNamespace(topology.gateway, "nft", "-f", "-"), { input: file });
  } catch (error) {
    await destroy();
    throw error;
  }
  const send = (line: VerdictLine): Promise<Seen> =>
    replayLine(topology, plan, senders, lines.indexOf(line), line.packet);
  const sendAll = (): Promise<readonly boolean[]> => replayAll(topology, plan, senders, lines);
  return { gateway: topology.gateway, send, sendAll, destroy };
}

/** Sets a route only when it changes. */
function rememberRoutes(topology: Topology): Topology {
  const routes = new Map<string, string>();
  return {
    ...topology,
    routeVia: async (address, device) => {
      if (routes.get(address) === device) return;
      await topology.routeVia(address, device);
      routes.set(address, device);
    },
  };
}

const isIncoming = (packet: Packet): packet is Packet & { readonly iif: string } => packet.hook !== "output";
const isOutgoing = (packet: Packet): packet is Packet & { readonly oif: string } => packet.hook !== "input";

/** A machine for each source address behind each interface. */
function planFor(lines: readonly VerdictLine[]): TopologyPlan {
  const packets = lines.map(({ packet }) => packet);
  const sources = packets.filter(isIncoming).map((packet) => `${packet.iif} ${packet.source}`);
  const interfaces = packets.flatMap((packet) => [
    ...(isIncoming(packet) ? [packet.iif] : []),
    ...(isOutgoing(packet) ? [packet.oif] : []),
  ]);
  const own = packets.flatMap((packet) => {
    if (packet.hook === "forward") return [];
    return packet.hook === "input" ? [packet.destination] : [packet.source];
  });
  return {
    prefix: newPrefix(),
    gateway: { interfaces: [...new Set(interfaces)], addresses: [...new Set(own)] },
    machines: [...new Set(sources)].map((source, i) => {
      const [behind = "", address = ""] = source.split(" ");
      return { name: `s${i}`, behind, addresses: [address] };
    }),
  };
}

const machineFor = (plan: TopologyPlan, packet: Packet & { readonly iif: string }): string => {
  const found = plan.machines.find(
    ({ behind, addresses }) => behind === packet.iif && addresses[0] === packet.source,
  );
  if (found === undefined) throw new RangeError(`no machine sends from ${packet.source} by ${packet.iif}`);
  return found.name;
};

const swallow = (hub: string): Promise<string> =>
  must(inNamespace(hub, "nft", "-f", "-"), {
    input: `table inet swallow {
\tchain forward {
\t\ttype filter hook forward priority 0; policy accept;
\t\tiifname "gw0" drop
\t}
}
`,
  });

/** Counts each line's packet as it comes, `a<i>`, and as it leaves behind every chain of ours, `b<i>`. */
function observer(lines: readonly VerdictLine[]): string {
  const rules = (name: string, keep: (packet: Packet) => string | undefined): readonly string[] =>
    lines.flatMap(({ packet }, i) => {
      const match = keep(packet);
      return match === undefined ? [] : [`\t\t${match} ${tuple(packet)} counter name "${name}_${i}"`];
    });
  const chain = (hook: string, priority: number, body: readonly string[]): readonly string[] => [
    `\tchain on_${hook} {`,
    `\t\ttype filter hook ${hook} priority ${priority}; policy accept;`,
    ...body,
    "\t}",
  ];
  return [
    "table inet observer {",
    ...lines.flatMap((_, i) => [`\tcounter a_${i} {\n\t}`, `\tcounter b_${i} {\n\t}`]),
    ...chain(
      "prerouting",
      -300,
      rules("a", (packet) => (isIncoming(packet) ? `iifname "${packet.iif}"` : undefined)),
    ),
    ...chain(
      "output",
      -300,
      rules("a", (packet) => (packet.hook === "output" ? "" : undefined)),
    ),
    ...chain(
      "input",
      300,
      rules("b", (packet) => (packet.hook === "input" ? `iifname "${packet.iif}"` : undefined)),
    ),
    ...chain(
      "postrouting",
      300,
      rules("b", (packet) => (isOutgoing(packet) ? `oifname "${packet.oif}"` : undefined)),
    ),
    "}",
    "",
  ].join("\n");
}

function tuple(packet: Packet): string {
  const v6 = packet.source.includes(":");
  const addresses = `${v6 ? "ip6" : "ip"} saddr ${packet.source} ${v6 ? "ip6" : "ip"} daddr ${packet.destination}`;
  switch (packet.protocol) {
    case "icmp":
      return `${addresses} ${v6 ? "icmpv6" : "icmp"} type ${packet.icmpType}`;
    case "tcp":
    case "udp":
      return `${addresses} ${packet.protocol} dport ${packet.port}`;
    case "other":
      return `${addresses} meta l4proto 253`;
  }
}

async function replayLine(
  topology: Topology,
  plan: TopologyPlan,
  senders: Senders,
  index: number,
  packet: Packet,
): Promise<Seen> {
  if (index < 0) throw new RangeError("expected a line that this replay was opened for");
  if (isOutgoing(packet)) await topology.routeVia(packet.destination, packet.oif);
  await must(inNamespace(topology.gateway, "nft", "reset", "counters"));
  const sent = senders.send(senderOf(topology, plan, packet), packet);
  const seen = await settle(topology.gateway, index);
  await sent;
  return seen;
}

async function replayAll(
  topology: Topology,
  plan: TopologyPlan,
  senders: Senders,
  lines: readonly VerdictLine[],
): Promise<readonly boolean[]> {
  for (const { packet } of lines)
    if (isOutgoing(packet)) await topology.routeVia(packet.destination, packet.oif);
  await must(inNamespace(topology.gateway, "nft", "reset", "counters"));
  const sent = lines.map(({ packet }) => senders.send(senderOf(topology, plan, packet), packet));
  await Promise.all(sent);
  for (let look = 0; look < 200; look += 1) {
    const { observed } = await readCounters(topology.gateway);
    if (!lines.every((_, i) => observed.has(`a_${i}`))) continue;
    const settled = (await readCounters(topology.gateway)).observed;
    return lines.map((_, i) => settled.has(`b_${i}`));
  }
  throw new Error("not every packet reached the gateway");
}

const senderOf = (topology: Topology, plan: TopologyPlan, packet: Packet): string =>
  isIncoming(packet) ? topology.machine(machineFor(plan, packet)) : topology.gateway;

const Counters = z.object({
  nftables: z.array(
    z.object({ counter: z.object({ table: z.string(), name: z.string(), packets: z.int() }).optional() }),
  ),
});

async function readCounters(
  gateway: string,
): Promise<{ ours: Map<string, number>; observed: Map<string, number> }> {
  const text = await must(inNamespace(gateway, "nft", "-j", "list", "counters"));
  const found = Counters.parse(JSON.parse(text)).nftables.flatMap(({ counter }) =>
    counter === undefined || counter.packets === 0 ? [] : [counter],
  );
  const of = (table: string) =>
    new Map(found.filter((c) => c.table === table).map(({ name, packets }) => [name, packets]));
  return { ours: of("portcullis"), observed: of("observer") };
}

/**
 * Looks until the packet has come and nothing changes any more. The kernel judges a packet in one go, so one further
 * look after its coming sees its verdict.
 */
async function settle(gateway: string, index: number): Promise<Seen> {
  for (let look = 0; look < 200; look += 1) {
    if (!(await readCounters(gateway)).observed.has(`a_${index}`)) continue;
    const { ours, observed } = await readCounters(gateway);
    return { passed: observed.has(`b_${index}`), counters: ours };
  }
  throw new Error("the packet never reached the gateway");
}
