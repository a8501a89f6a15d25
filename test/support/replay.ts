/**
 * Verdict lines as real packets. A gateway in a namespace holds the rendered program; each line's packet comes in by
 * its interface and is looked for behind our chains, at the end of the gateway's own path. Hubs swallow what leaves,
 * so that nothing answers and every counter can be asked for exactly one packet.
 */
import { inNamespace, newPrefix, setSwitches } from "#lab/net/netns.ts";
import { must } from "#lab/run/process.ts";
import { buildTopology, type Topology, type TopologyPlan } from "#lab/net/topology.ts";
import type { Packet } from "#core/simulate/index.ts";
import { isIncoming, isOutgoing, observer, readCounters, swallow } from "./observer.ts";
import { disguise, openSenders, type Senders } from "./senders.ts";
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
    // A line's source may be another line's destination, which the gateway holds.
    await setSwitches(topology.gateway, 1, ["ipv4/conf/all/accept_local"]);
    const others = lines.filter(({ packet }) => packet.protocol === "other");
    const senderNames = new Set(others.map(({ packet }) => senderOf(topology, plan, packet)));
    await Promise.all(
      [...senderNames].map((name) =>
        must(inNamespace(name, "nft", "-f", "-"), { input: disguise }),
      ),
    );
    const file = observer(lines.map(({ packet }) => packet));
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
  if (found === undefined)
    throw new RangeError(`no machine sends from ${packet.source} by ${packet.iif}`);
  return found.name;
};

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
