/**
 * Whether a rule matches a packet, match by match; total over the closed unions of schema/ruleset.ts.
 * A set or class without elements matches nothing.
 */
import type { Family, Network } from "#schema/address.ts";
import { contains, requireNetwork } from "#schema/address.ts";
import {
  mapClassMembers,
  dhcpPorts,
  type Destination,
  type Direction,
  type IcmpTypes,
  type NamedSet,
  type NdMessage,
  type Ports,
  type Protocol,
  type Rule,
  type Ruleset,
  type Source,
  type State,
} from "#schema/ruleset.ts";
import type { Flow, Packet, PacketState } from "./packet.ts";

/** A ruleset's names, resolved once. */
export interface Lookup {
  readonly sets: ReadonlyMap<string, (address: Network, text: string) => boolean>;
  readonly classes: ReadonlyMap<string, ReadonlyMap<string, string>>;
  readonly rules: ReadonlyMap<string, readonly IndexedRule[]>;
}
export interface IndexedRule {
  readonly rule: Rule;
  readonly index: number;
}

const place = (scope: string, direction: Direction): string => `${scope} ${direction}`;

export function lookupOf(ruleset: Ruleset): Lookup {
  return {
    sets: new Map(ruleset.sets.map((set) => [set.name, membershipOf(set)])),
    classes: mapClassMembers(ruleset),
    rules: Map.groupBy(
      ruleset.rules.map((rule, index) => ({ rule, index })),
      ({ rule }) => place(rule.scope, rule.direction),
    ),
  };
}

/** What a rule's ends can be about in its scope. */
export interface Ground {
  readonly id: string;
  readonly subnets: readonly Network[];
  /** The scope's own addresses, as texts. */
  readonly own: ReadonlySet<string>;
}

/** The first rule of a scope and direction that matches. */
export function findFirstMatch(
  lookup: Lookup,
  ground: Ground,
  direction: Direction,
  flow: Flow,
): IndexedRule | undefined {
  const { packet } = flow;
  return lookup.rules
    .get(place(ground.id, direction))
    ?.find(
      ({ rule }) =>
        isInForce(rule, packet.at) &&
        (rule.rate === null || packet.exceedsRates !== true) &&
        (rule.layer === "l2" || packet.protocol !== "arp") &&
        matchesArrival(rule.arrives, packet) &&
        matchesState(rule.state, packet.state) &&
        matchesProtocol(rule.protocol, flow) &&
        matchesSource(lookup, ground, rule.source, flow) &&
        matchesDestination(lookup, ground, rule.destination, flow),
    );
}

/** Whether one of the subnets holds both ends. */
export const sharesSubnet = (subnets: readonly Network[], { source, destination }: Flow): boolean =>
  subnets.some((subnet) => contains(subnet, source) && contains(subnet, destination));

function membershipOf(set: NamedSet): (address: Network, text: string) => boolean {
  const texts = new Set(set.elements);
  if (set.kind !== "networks") return (_, text) => texts.has(text);
  const networks = set.elements.map(requireNetwork);
  return (address) => networks.some((network) => contains(network, address));
}

/** One end of a packet. */
interface Side {
  readonly address: Network;
  readonly text: string;
}

function matchesSource(lookup: Lookup, ground: Ground, source: Source, flow: Flow): boolean {
  const { packet } = flow;
  if (source.kind === "class")
    return lookup.classes.get(source.map)?.get(packet.source) === source.class;
  return matchesEnd(lookup, ground, source, { address: flow.source, text: packet.source });
}

function matchesDestination(
  lookup: Lookup,
  ground: Ground,
  destination: Destination,
  flow: Flow,
): boolean {
  if (destination.kind === "source-subnet") return sharesSubnet(ground.subnets, flow);
  const { packet } = flow;
  return matchesEnd(lookup, ground, destination, {
    address: flow.destination,
    text: packet.destination,
  });
}

/** A set that is not declared, which its type forbids, has no members; so it refuses nobody either. */
function matchesEnd(
  { sets }: Lookup,
  { own }: Ground,
  end: Exclude<Source | Destination, { readonly kind: "class" | "source-subnet" }>,
  { address, text }: Side,
): boolean {
  const isIn = (name: string): boolean => sets.get(name)?.(address, text) === true;
  switch (end.kind) {
    case "any":
      return true;
    case "set":
      return isIn(end.set);
    case "set-except":
      return isIn(end.set) && !isIn(end.except);
    case "not-set":
      return !isIn(end.set);
    case "own":
      return own.has(text);
  }
}

function matchesProtocol(protocol: Protocol, { packet, source }: Flow): boolean {
  switch (protocol.kind) {
    case "any":
      return true;
    case "icmp":
      return (
        packet.protocol === "icmp" && matchesType(protocol.types, source.family, packet.icmpType)
      );
    case "tcp":
    case "udp":
    case "sctp":
      return (
        packet.protocol === protocol.kind &&
        matchesPort(protocol.ports, packet.port) &&
        matchesPort(protocol.sourcePorts, packet.sourcePort)
      );
    case "ip":
      return packet.protocol === "ip"
        ? packet.number === protocol.number
        : packet.protocol === "igmp" && protocol.number === igmp;
    case "arp":
      return packet.protocol === "arp";
    case "nd":
      return (
        packet.protocol === "icmp" &&
        source.family === "v6" &&
        packet.icmpType === ndTypes[protocol.what]
      );
    case "dhcp":
      return packet.protocol === "udp" && packet.port === dhcpPorts[source.family][protocol.side];
  }
}

/** IANA protocol-numbers. */
const igmp = 2;

/** Types of ICMPv6 (RFC 4861 §4). */
export const ndTypes: Readonly<Record<NdMessage, number>> = {
  "router-solicitation": 133,
  "router-advertisement": 134,
  "neighbour-solicitation": 135,
  "neighbour-advertisement": 136,
  redirect: 137,
};

const matchesType = (types: IcmpTypes | null, family: Family, type: number): boolean =>
  types === null || types[family].includes(type);

const matchesPort = (ports: Ports, port: number | undefined): boolean =>
  ports.kind === "any" ||
  (port !== undefined && ports.ranges.some((range) => range.from <= port && port <= range.to));

const matchesArrival = (arrives: Rule["arrives"], packet: Packet): boolean =>
  arrives === null || (packet.hook !== "output" && arrives.includes(packet.iif));

/** Where nobody says when, every rule is in force. */
const isInForce = ({ from, expires }: Rule, at: number | undefined): boolean =>
  at === undefined || ((from === null || from <= at) && (expires === null || at < expires));

/** `established` is the kernel's own word: a related packet, such as an ICMP error, is not one. */
const matchesState = (wanted: State, state: PacketState): boolean =>
  wanted === "any" || wanted === state;
