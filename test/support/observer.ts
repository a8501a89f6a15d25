/**
 * What stands around our chains in a kernel test: counters before and behind them that see each packet on its own, and
 * hubs that swallow what leaves the gateway, so that nothing answers.
 */
import * as z from "zod";
import { inNamespace } from "#lab/net/netns.ts";
import { must } from "#lab/run/process.ts";
import type { Packet } from "#core/simulate/index.ts";
import { otherProtocol } from "./senders.ts";

export const isIncoming = (packet: Packet): packet is Packet & { readonly iif: string } =>
  packet.hook !== "output";
export const isOutgoing = (packet: Packet): packet is Packet & { readonly oif: string } =>
  packet.hook !== "input";

/** Drops in a hub whatever comes from the gateway. */
export const swallow = (hub: string): Promise<string> =>
  must(inNamespace(hub, "nft", "-f", "-"), {
    input: `table inet swallow {
\tchain forward {
\t\ttype filter hook forward priority 0; policy accept;
\t\tiifname "gw0" drop
\t}
}
`,
  });

/** Counts each packet as it comes, `a_<i>`, and as it leaves behind every chain of ours, `b_<i>`; loads over itself. */
export function observer(packets: readonly Packet[]): string {
  const rules = (name: string, keep: (packet: Packet) => string | undefined): readonly string[] =>
    packets.flatMap((packet, i) => {
      const match = keep(packet);
      return match === undefined
        ? []
        : [`\t\t${match} ${tuple(packet)} counter name "${name}_${i}"`];
    });
  const chain = (hook: string, priority: number, body: readonly string[]): readonly string[] => [
    `\tchain on_${hook} {`,
    `\t\ttype filter hook ${hook} priority ${priority}; policy accept;`,
    ...body,
    "\t}",
  ];
  return [
    "add table inet observer",
    "delete table inet observer",
    "table inet observer {",
    ...packets.flatMap((_, i) => [`\tcounter a_${i} {\n\t}`, `\tcounter b_${i} {\n\t}`]),
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
    case "igmp":
      return `${addresses} ip protocol igmp ip ttl ${packet.ttl}`;
    case "sctp":
    case "ip":
    case "arp":
      throw new RangeError(`${packet.protocol} is not sent here`);
    case "other":
      return `${addresses} meta l4proto ${otherProtocol}`;
  }
}

const Counters = z.object({
  nftables: z.array(
    z.object({
      counter: z.object({ table: z.string(), name: z.string(), packets: z.int() }).optional(),
    }),
  ),
});

/** What is not zero, by name: of our table, and of the observer. */
export async function readCounters(
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
