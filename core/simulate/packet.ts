/**
 * Packets and judgements: what `simulate` takes and gives. A packet is plain data that a person can write by hand;
 * a flow is the same packet with its addresses read once.
 */
import type { Network } from "#schema/address.ts";
import { requireNetwork } from "#schema/address.ts";
import type { Guard } from "#schema/guard.ts";
import type { Tally, Verdict } from "#schema/ruleset.ts";

/** What of a guard judges packets, before every rule. */
export type PacketGuard = Pick<Guard, "management" | "output">;

/**
 * Where the kernel sees the packet: for the host itself, from it, on its way through, or between two ports of a bridge.
 */
export type Hook =
  | { readonly hook: "input"; readonly iif: string }
  | { readonly hook: "output"; readonly oif: string }
  | { readonly hook: "forward"; readonly iif: string; readonly oif: string }
  | { readonly hook: "bridge"; readonly iif: string; readonly oif: string };

/**
 * `icmp` is ICMP between IPv4 and ICMPv6 between IPv6 addresses; `igmp` is between IPv4 alone; `port` is the destination's,
 * and a source port left out is one that no rule names. `arp` is between the addresses that it names as sender and target.
 * `ip` is any other protocol by its number, `other` one that no rule names.
 */
export type Payload =
  | { readonly protocol: "tcp" | "udp"; readonly port: number; readonly sourcePort?: number }
  | { readonly protocol: "sctp"; readonly port: number; readonly sourcePort?: number }
  | { readonly protocol: "icmp"; readonly icmpType: number }
  | { readonly protocol: "igmp"; readonly ttl: number }
  | { readonly protocol: "ip"; readonly number: number }
  | { readonly protocol: "arp" }
  | { readonly protocol: "other" };

export type PacketState = "new" | "established" | "related" | "invalid" | "untracked";

/** Source and destination are canonical addresses of one family. */
export type Packet = Hook &
  Payload & {
    readonly source: string;
    readonly destination: string;
    readonly state: PacketState;
    /** When the host judges it, in Unix seconds; left out: while every rule is in force. */
    readonly at?: number;
    /** MAC address that sent it, where a vNIC did; left out: the vNIC's own. */
    readonly mac?: string;
    /** Whether it comes faster than every rate; left out: slower. */
    readonly exceedsRates?: boolean;
  };

export interface PacketVerdict {
  readonly verdict: Verdict;
  /** The row and the index in `ruleset.rules` of the rule that decided; null where no rule was asked. */
  readonly row: string | null;
  readonly rule: number | null;
  /** The shared counter of the direction that decided, or of what is spoofed; null outside overlays. */
  readonly tally: Tally | null;
}

export interface Flow {
  readonly packet: Packet;
  readonly source: Network;
  readonly destination: Network;
}

/** @throws RangeError when an address is not canonical or the two are of different families */
export function flowOf(packet: Packet): Flow {
  const [source, destination] = [requireNetwork(packet.source), requireNetwork(packet.destination)];
  if (source.family !== destination.family)
    throw new RangeError(
      `no packet goes from ${packet.source} to ${packet.destination}: two families`,
    );
  return { packet, source, destination };
}
