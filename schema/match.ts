/**
 * What a rule can ask of a packet: closed unions, one spelling for each meaning. What they mean stands in
 * schema/ruleset.ts; `core/simulate` defines it, packet by packet.
 */
import * as z from "zod";
import type { Family } from "./address.ts";
import { InterfaceName, list, Port, unique } from "./primitives.ts";

/** Most items of each list of a match. */
export const matchBounds = { ranges: 65_535, types: 256, interfaces: 1_024 } as const;

/** Name of a set, class map, class or counter inside a ruleset; renderers encode it further. */
export const ObjectName = z
  .string()
  .regex(/^[a-z][A-Za-z0-9_]{0,190}$/, { error: "expected an object name", abort: true });

export const Ports = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("any") }),
  z.strictObject({
    kind: z.literal("ranges"),
    ranges: list(
      z.strictObject({ from: Port, to: Port }).refine((r) => r.from <= r.to, "expected from ≤ to"),
      { min: 1, max: matchBounds.ranges, tooFew: "expected at least one port range" },
    ),
  }),
]);
export type Ports = z.infer<typeof Ports>;

export const anyPorts: Ports = { kind: "any" };

const Byte = z.int().min(0).max(255);

/** ICMP types by their numbers (IANA icmp-parameters, icmpv6-parameters), sorted; not both lists are empty. */
export const IcmpTypes = z
  .strictObject({
    v4: list(Byte, { max: matchBounds.types }),
    v6: list(Byte, { max: matchBounds.types }),
  })
  .refine(({ v4, v6 }) => v4.length + v6.length > 0, "expected a type of one family at least")
  .refine(({ v4, v6 }) => [v4, v6].every(isRising), "expected types in rising order");
export type IcmpTypes = z.infer<typeof IcmpTypes>;

const isRising = (numbers: readonly number[]): boolean =>
  numbers.every((number, i) => i === 0 || (numbers[i - 1] ?? number) < number);

/** Protocols with ports, by the kind of rule and of packet alike. */
export const transports = ["tcp", "udp", "sctp"] as const;
export type Transport = (typeof transports)[number];

/** IP protocol numbers (IANA protocol-numbers) that `ip` does not take, because a kind of their own says them. */
const ownKinds: ReadonlyMap<number, string> = new Map([
  [1, "icmp"],
  [6, "tcp"],
  [17, "udp"],
  [58, "icmp"],
  [132, "sctp"],
]);

const IpNumber = Byte.refine((number) => !ownKinds.has(number), {
  error: ({ input }) =>
    `expected kind ${ownKinds.get(Number(input)) ?? ""} for protocol ${String(input)}`,
});

/** Neighbour discovery messages (RFC 4861 §4). */
export const NdMessage = z.enum([
  "router-solicitation",
  "router-advertisement",
  "neighbour-solicitation",
  "neighbour-advertisement",
  "redirect",
]);
export type NdMessage = z.infer<typeof NdMessage>;

/** The port to which one side sends (RFC 2131 §4.1, RFC 8415 §7.2). */
export const dhcpPorts: Readonly<Record<Family, Readonly<Record<"client" | "server", number>>>> = {
  v4: { client: 67, server: 68 },
  v6: { client: 547, server: 546 },
};

const withPorts = <K extends Transport>(kind: K) =>
  z.strictObject({ kind: z.literal(kind), ports: Ports, sourcePorts: Ports });

/**
 * `icmp` is ICMP for IPv4 and ICMPv6 for IPv6; without `types` all of them. `ports` are the destination's. `arp` and `nd`
 * exist on layer l2 alone; `dhcp` is DHCP and DHCPv6 as one side sends it: a client to a server, or back.
 */
export const Protocol = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("any") }),
  z.strictObject({ kind: z.literal("icmp"), types: IcmpTypes.nullable() }),
  withPorts("tcp"),
  withPorts("udp"),
  withPorts("sctp"),
  z.strictObject({ kind: z.literal("ip"), number: IpNumber }),
  z.strictObject({ kind: z.literal("arp") }),
  z.strictObject({ kind: z.literal("nd"), what: NdMessage }),
  z.strictObject({ kind: z.literal("dhcp"), side: z.enum(["client", "server"]) }),
]);
export type Protocol = z.infer<typeof Protocol>;

const AnyEnd = z.strictObject({ kind: z.literal("any") });
const SetEnd = z.strictObject({ kind: z.literal("set"), set: ObjectName });
/** In the set and not in `except`. */
const SetExceptEnd = z.strictObject({
  kind: z.literal("set-except"),
  set: ObjectName,
  except: ObjectName,
});
/** Not in the set: in section `deny` alone, for a negated grant is how widening happens. */
const NotSetEnd = z.strictObject({ kind: z.literal("not-set"), set: ObjectName });
/** One of the scope's own addresses. */
const OwnEnd = z.strictObject({ kind: z.literal("own") });

export const Source = z.discriminatedUnion("kind", [
  AnyEnd,
  SetEnd,
  SetExceptEnd,
  NotSetEnd,
  OwnEnd,
  z.strictObject({ kind: z.literal("class"), map: ObjectName, class: ObjectName }),
]);
export type Source = z.infer<typeof Source>;

/** `source-subnet`: the destination lies in the same subnet of the scope as the source does. */
export const Destination = z.discriminatedUnion("kind", [
  AnyEnd,
  SetEnd,
  SetExceptEnd,
  NotSetEnd,
  OwnEnd,
  z.strictObject({ kind: z.literal("source-subnet") }),
]);
export type Destination = z.infer<typeof Destination>;

/** Connection state a rule asks for. `any` matches whether or not the packet is tracked. */
export const State = z.enum(["any", "new", "established"]);
export type State = z.infer<typeof State>;

/** The interfaces by which a packet may arrive; null: by any. */
export const Arrives = unique(InterfaceName, { min: 1, max: matchBounds.interfaces }).nullable();

/** New connections that an accept takes: a bucket of `burst` that fills by `newPerSecond`. */
export const Rate = z.strictObject({
  newPerSecond: z.int().min(1).max(1_000_000),
  burst: z.int().min(1).max(1_000_000),
});
export type Rate = z.infer<typeof Rate>;

/** Names of the sets that an end of a rule looks at. */
export function listEndSets(end: Source | Destination): readonly string[] {
  switch (end.kind) {
    case "set":
    case "not-set":
      return [end.set];
    case "set-except":
      return [end.set, end.except];
    case "any":
    case "own":
    case "class":
    case "source-subnet":
      return [];
  }
}
