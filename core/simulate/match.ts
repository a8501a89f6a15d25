/**
 * Whether a rule matches a packet, match by match; total over the closed unions of schema/ruleset.ts.
 * A set or class without elements matches nothing.
 */
import type { Network } from "#schema/address.ts";
import { contains, requireNetwork } from "#schema/address.ts";
import type {
  Direction,
  NamedSet,
  Ports,
  Protocol,
  Rule,
  Ruleset,
  State,
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
    classes: new Map(
      ruleset.classes.map((map) => [
        map.name,
        new Map(map.elements.map((e) => [e.address, e.class])),
      ]),
    ),
    rules: Map.groupBy(
      ruleset.rules.map((rule, index) => ({ rule, index })),
      ({ rule }) => place(rule.scope, rule.direction),
    ),
  };
}

/** The first rule of a scope and direction that matches. */
export function findFirstMatch(
  lookup: Lookup,
  scope: string,
  subnets: readonly Network[],
  direction: Direction,
  flow: Flow,
): IndexedRule | undefined {
  return lookup.rules
    .get(place(scope, direction))
    ?.find(
      ({ rule }) =>
        isInForce(rule.expires, flow.packet.at) &&
        matchesState(rule.state, flow.packet.state) &&
        matchesProtocol(rule.protocol, flow.packet) &&
        matchesSource(lookup, rule, flow) &&
        matchesDestination(lookup, subnets, rule, flow),
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

function matchesSource(lookup: Lookup, { source }: Rule, flow: Flow): boolean {
  switch (source.kind) {
    case "any":
      return true;
    case "set":
      return lookup.sets.get(source.set)?.(flow.source, flow.packet.source) === true;
    case "class":
      return lookup.classes.get(source.map)?.get(flow.packet.source) === source.class;
  }
}

function matchesDestination(
  lookup: Lookup,
  subnets: readonly Network[],
  { destination }: Rule,
  flow: Flow,
): boolean {
  switch (destination.kind) {
    case "any":
      return true;
    case "set":
      return lookup.sets.get(destination.set)?.(flow.destination, flow.packet.destination) === true;
    case "source-subnet":
      return sharesSubnet(subnets, flow);
  }
}

function matchesProtocol(protocol: Protocol, packet: Packet): boolean {
  switch (protocol.kind) {
    case "any":
      return true;
    case "icmp":
      return packet.protocol === "icmp";
    case "tcp":
    case "udp":
      return packet.protocol === protocol.kind && matchesPort(protocol.ports, packet.port);
  }
}

const matchesPort = (ports: Ports, port: number): boolean =>
  ports.kind === "any" || ports.ranges.some((range) => range.from <= port && port <= range.to);

/** Where nobody says when, the rule has not expired. */
const isInForce = (expires: number | null, at: number | undefined): boolean =>
  expires === null || at === undefined || at < expires;

/** `established` is the kernel's own word: a related packet, such as an ICMP error, is not one. */
const matchesState = (wanted: State, state: PacketState): boolean =>
  wanted === "any" || wanted === state;
