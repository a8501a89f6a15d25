/**
 * Packets as bytes on the wire, made by hand so that every state of a connection, every ICMP type and every way to wrap a
 * packet can be sent. Checksums are right (RFC 1071) but where a wrong one is the point. Each packet carries a number,
 * as IPv4 identification or IPv6 flow label, by which it is known wherever it is seen.
 */
import type { Packet } from "#core/simulate/index.ts";

/** `headers`: IPv4 options, or an IPv6 destination options header. `fragments`: in two. */
export type Form = "plain" | "fragments" | "headers";

/** Numbers of packets are 1 to this; what opens a flow has that much more, and the same echo identifier. */
export const numbersMax = 8_192;

const protocols = { tcp: 6, udp: 17, other: 253 } as const;
/** SCTP and others are not made here: their headers have checksums and rules of their own. */
export type Sendable = Exclude<Packet, { readonly protocol: "igmp" | "sctp" | "arp" | "ip" }>;
type Ported = Extract<Sendable, { readonly port: number }>;

const isV6 = ({ source }: Pick<Packet, "source">): boolean => source.includes(":");

/** Bytes of an address, 4 or 16. */
function addressBytes(text: string): readonly number[] {
  if (!text.includes(":")) return text.split(".").map(Number);
  const [head = "", tail] = text.split("::");
  const words = (part: string): number[] =>
    part === "" ? [] : part.split(":").map((word) => Number.parseInt(word, 16));
  const [left, right] = [words(head), words(tail ?? "")];
  const gap =
    tail === undefined ? [] : Array.from({ length: 8 - left.length - right.length }, () => 0);
  return [...left, ...gap, ...right].flatMap(two);
}

const two = (value: number): number[] => [(value >> 8) & 255, value & 255];

function sum(bytes: readonly number[]): number {
  let total = 0;
  for (let i = 0; i < bytes.length; i += 2) total += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  while (total > 0xffff) total = (total & 0xffff) + (total >> 16);
  return ~total & 0xffff;
}

const pseudo = (packet: Sendable, protocol: number, length: number): readonly number[] => [
  ...addressBytes(packet.source),
  ...addressBytes(packet.destination),
  ...(isV6(packet) ? [0, 0, ...two(length), 0, 0, 0, protocol] : [0, protocol, ...two(length)]),
];

const protocolOf = (packet: Sendable): number =>
  packet.protocol === "icmp" ? (isV6(packet) ? 58 : 1) : protocols[packet.protocol];

const filler = Array.from({ length: 28 }, () => 0);
const flags = { syn: 0x02, synAck: 0x12, synFin: 0x03 } as const;

/** What an answer to a packet of ours acknowledges: our first number and the SYN. */
const firstSequence = 100;

function tcp(packet: Ported): readonly number[] {
  const established = packet.state === "established";
  const flag = established ? flags.synAck : packet.state === "invalid" ? flags.synFin : flags.syn;
  const numbers = [0, 0, ...two(firstSequence), 0, 0, ...two(established ? firstSequence + 1 : 0)];
  const head = [
    ...two(packet.sourcePort ?? 0),
    ...two(packet.port),
    ...numbers,
    0x50,
    flag,
    ...two(0xffff),
  ];
  return [...head, 0, 0, 0, 0, ...(established ? [] : filler)];
}

function udp(packet: Ported): readonly number[] {
  return [
    ...two(packet.sourcePort ?? 0),
    ...two(packet.port),
    ...two(8 + filler.length),
    0,
    0,
    ...filler,
  ];
}

/** Where the checksum of a transport header stands. */
const checksumAt = { tcp: 16, udp: 6, icmp: 2, other: -1 } as const;

function bareSegment(packet: Sendable, id: number): readonly number[] {
  switch (packet.protocol) {
    case "tcp":
      return tcp(packet);
    case "udp":
      return udp(packet);
    case "icmp":
      return [packet.icmpType, 0, 0, 0, ...two(id % numbersMax), 0, 1, ...filler];
    case "other":
      return filler;
  }
}

/** Transport header and payload. */
function segment(packet: Sendable, id: number): readonly number[] {
  const bare = bareSegment(packet, id);
  const at = checksumAt[packet.protocol];
  if (at < 0) return bare;
  const covered =
    packet.protocol === "icmp" && !isV6(packet)
      ? bare
      : [...pseudo(packet, protocolOf(packet), bare.length), ...bare];
  const right = sum(covered) === 0 ? 0xffff : sum(covered);
  const written =
    packet.protocol === "udp" && packet.state === "invalid" ? right ^ 0x5555 || 1 : right;
  return bare.toSpliced(at, 2, ...two(written));
}

/** IP packets, in the order in which they are sent. */
export function wireOf(packet: Sendable, id: number, form: Form): readonly Uint8Array[] {
  const body = segment(packet, id);
  const pieces = isV6(packet) ? wrap6(packet, id, body, form) : wrap4(packet, id, body, form);
  return pieces.map((piece) => Uint8Array.from(piece));
}

/** A multiple of eight that holds each transport header. */
const cut = 24;

function wrap4(
  packet: Sendable,
  id: number,
  body: readonly number[],
  form: Form,
): readonly number[][] {
  const one = (part: readonly number[], offset: number, more: boolean): number[] => {
    const options = form === "headers" ? [1, 1, 1, 0] : [];
    const words = 5 + options.length / 4;
    const place = (more ? 0x2000 : 0) | (offset / 8);
    const head = [
      0x40 | words,
      0,
      ...two(words * 4 + part.length),
      ...two(id),
      ...two(place),
      64,
      protocolOf(packet),
      ...two(0),
      ...addressBytes(packet.source),
      ...addressBytes(packet.destination),
      ...options,
    ];
    return [...head.toSpliced(10, 2, ...two(sum(head))), ...part];
  };
  return form === "fragments"
    ? [one(body.slice(0, cut), 0, true), one(body.slice(cut), cut, false)]
    : [one(body, 0, false)];
}

const [destinationOptions, fragment] = [60, 44];

function wrap6(
  packet: Sendable,
  id: number,
  body: readonly number[],
  form: Form,
): readonly number[][] {
  const protocol = protocolOf(packet);
  const one = (next: number, part: readonly number[]): number[] => [
    0x60,
    (id >> 16) & 15,
    ...two(id & 0xffff),
    ...two(part.length),
    next,
    64,
    ...addressBytes(packet.source),
    ...addressBytes(packet.destination),
    ...part,
  ];
  // One option that is padding: PadN (RFC 8200 §4.2).
  if (form === "headers")
    return [one(destinationOptions, [protocol, 0, 1, 4, 0, 0, 0, 0, ...body])];
  if (form === "plain") return [one(protocol, body)];
  const piece = (part: readonly number[], offset: number, more: boolean): number[] =>
    one(fragment, [protocol, 0, ...two(offset | (more ? 1 : 0)), 0, 0, ...two(id), ...part]);
  return [piece(body.slice(0, cut), 0, true), piece(body.slice(cut), cut, false)];
}

/** What the other end must have sent before, for conntrack to take a packet for its answer. */
export function opening(packet: Sendable): Sendable {
  const ends = { source: packet.destination, destination: packet.source, state: "new" } as const;
  const way =
    packet.hook === "input"
      ? ({ hook: "output", oif: packet.iif } as const)
      : packet.hook === "output"
        ? ({ hook: "input", iif: packet.oif } as const)
        : ({ hook: "forward", iif: packet.oif, oif: packet.iif } as const);
  switch (packet.protocol) {
    case "tcp":
    case "udp":
      return {
        ...way,
        ...ends,
        protocol: packet.protocol,
        port: packet.sourcePort ?? 0,
        sourcePort: packet.port,
      };
    case "icmp":
      return { ...way, ...ends, protocol: "icmp", icmpType: isV6(packet) ? 128 : 8 };
    case "other":
      throw new RangeError("nobody answers another protocol");
  }
}

/** An Ethernet frame. @param to hardware address, `aa:bb:…` */
export function frameOf(ip: Uint8Array, to: string): Uint8Array {
  const hardware = to.split(":").map((part) => Number.parseInt(part, 16));
  const type = (ip[0] ?? 0) >> 4 === 6 ? 0x86dd : 0x0800;
  return Uint8Array.from([...hardware, 2, 0, 0, 0, 0, 1, ...two(type), ...ip]);
}
