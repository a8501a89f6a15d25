/**
 * A gateway that stays while rulesets and packets change, for many packets in little time: one machine behind each
 * interface has every address, and whatever it sends goes to the gateway, even to an address of its own. All packets of
 * a batch are on their way at once; counters around our chains tell what became of each.
 */
import { passHooks } from "#lab/drops.ts";
import { inNamespace, ipBatch, newPrefix, setSwitches } from "#lab/netns.ts";
import { must, until } from "#lab/process.ts";
import { buildTopology, type Topology } from "#lab/topology.ts";
import type { Packet } from "#simulate/index.ts";
import { isIncoming, isOutgoing, observer, readCounters, swallow } from "./observer.ts";
import { disguise, openSenders, type Senders } from "./senders.ts";

export interface GroundPlan {
  readonly interfaces: readonly string[];
  /** Where packets come from and go to. */
  readonly addresses: readonly string[];
  /** The gateway's, one of each family. */
  readonly own: readonly string[];
}

export interface Outcome {
  /** Whether each packet came out behind our chains, in the order given. */
  readonly passed: readonly boolean[];
  /** Our counters that are not zero, after all of them. */
  readonly counters: ReadonlyMap<string, number>;
}

export interface Ground {
  readonly gateway: string;
  /**
   * Packets must differ in more than their source port, forwarded ones in more than where they came in; one destination leaves by one interface.
   * @throws Error when a packet never reached the gateway, which is no verdict
   */
  send(packets: readonly Packet[]): Promise<Outcome>;
  destroy(): Promise<void>;
}

export async function openGround(plan: GroundPlan): Promise<Ground> {
  const { interfaces, addresses, own } = plan;
  const machines = interfaces.map((behind, i) => ({ name: `m${i}`, behind, addresses }));
  const topology = await buildTopology({
    prefix: newPrefix(),
    gateway: { interfaces, addresses: own },
    machines,
  });
  const senders = openSenders();
  const destroy = async (): Promise<void> => {
    await senders.close();
    await topology.destroy();
  };
  const machineBehind = (device: string): string => topology.machine(`m${interfaces.indexOf(device)}`);
  try {
    await Promise.all(interfaces.map((device) => swallow(topology.hub(device))));
    await Promise.all(machines.map(({ name }) => sendEverythingAway(topology.machine(name))));
    await must(inNamespace(topology.gateway, "nft", "-f", "-"), { input: disguise });
    // A packet from nobody's network is judged too.
    await setSwitches(topology.gateway, 1, ["ipv4/conf/all/accept_local"]);
  } catch (error) {
    await destroy();
    throw error;
  }
  const senderOf = (packet: Packet): string =>
    isIncoming(packet) ? machineBehind(packet.iif) : topology.gateway;
  return {
    gateway: topology.gateway,
    send: (packets) => sendBatch(topology, interfaces, senders, senderOf, packets),
    destroy,
  };
}

const away = 50;

/** What a machine sends goes to its hub before its own addresses are looked at; what comes to it is still its own. */
async function sendEverythingAway(machine: string): Promise<void> {
  const rules = [
    `rule add pref 10 iif lo lookup ${away}`,
    "rule add pref 20 lookup local",
    "rule delete pref 0 lookup local",
  ];
  await ipBatch(machine, [`route add default via 169.254.0.2 dev eth0 table ${away}`, ...rules], "v4");
  await ipBatch(machine, [`route add default via fe80::2 dev eth0 table ${away}`, ...rules], "v6");
  await must(inNamespace(machine, "nft", "-f", "-"), { input: disguise });
}

async function sendBatch(
  topology: Topology,
  interfaces: readonly string[],
  senders: Senders,
  senderOf: (packet: Packet) => string,
  packets: readonly Packet[],
): Promise<Outcome> {
  const { gateway } = topology;
  const routes = new Map(packets.filter(isOutgoing).map((packet) => [packet.destination, packet.oif]));
  await ipBatch(
    gateway,
    [...routes].map(([address, device]) => {
      const via = address.includes(":") ? "fe80::2" : `169.254.${interfaces.indexOf(device) + 1}.2`;
      return `route replace ${address} via ${via} dev ${device}`;
    }),
  );
  await must(inNamespace(gateway, "nft", "-f", "-"), { input: observer(packets) });
  await Promise.all(packets.map((packet) => senders.send(senderOf(packet), packet)));
  await until(`${packets.length} packets to reach the gateway`, async () => {
    const { observed } = await readCounters(gateway);
    return packets.every((_, i) => observed.has(`a_${i}`)) ? true : undefined;
  });
  await passHooks(topology.hub(interfaces[0] ?? ""));
  const { ours, observed } = await readCounters(gateway);
  return { passed: packets.map((_, i) => observed.has(`b_${i}`)), counters: ours };
}
