/** Protocols and ports as ranges: cutting them where others begin and end, and saying what is left. Pure. */
import { dhcpPorts, type Protocol } from "#schema/ruleset.ts";
import { ndTypes } from "./match.ts";

/**
 * A range of ports of a protocol that has ports, of types of ICMP (0–255 of ICMP, from 256 on of ICMPv6), or of IP
 * protocol numbers for the rest, `other`.
 */
export interface PortRange {
  readonly protocol: "tcp" | "udp" | "sctp" | "icmp" | "other";
  readonly from: number;
  readonly to: number;
}

type Kind = PortRange["protocol"];

/** ICMPv6 types come after those of ICMP. */
const v6Types = 256;

const spans: Readonly<Record<Kind, Pick<PortRange, "from" | "to">>> = {
  tcp: { from: 0, to: 65_535 },
  udp: { from: 0, to: 65_535 },
  icmp: { from: 0, to: 2 * v6Types - 1 },
  sctp: { from: 0, to: 65_535 },
  other: { from: 0, to: 255 },
};
const kinds = Object.keys(spans) as readonly Kind[];

const wholeOf = (protocol: Kind): PortRange => ({ protocol, ...spans[protocol] });
const single = (protocol: Kind, at: number): PortRange => ({ protocol, from: at, to: at });

/** Of tcp and its like the destination's ports, whatever the source's. ARP is no flow. */
export function portsOf(protocol: Protocol): readonly PortRange[] {
  switch (protocol.kind) {
    case "any":
      return kinds.map(wholeOf);
    case "icmp":
      return protocol.types === null
        ? [wholeOf("icmp")]
        : [
            ...protocol.types.v4.map((type) => single("icmp", type)),
            ...protocol.types.v6.map((type) => single("icmp", v6Types + type)),
          ];
    case "tcp":
    case "udp":
    case "sctp":
      return protocol.ports.kind === "any"
        ? [wholeOf(protocol.kind)]
        : protocol.ports.ranges.map(({ from, to }) => ({ protocol: protocol.kind, from, to }));
    case "ip":
      return [single("other", protocol.number)];
    case "arp":
      return [];
    case "nd":
      return [single("icmp", v6Types + ndTypes[protocol.what])];
    case "dhcp":
      return Object.values(dhcpPorts).map((sides) => single("udp", sides[protocol.side]));
  }
}

export const holds = (wide: PortRange, piece: PortRange): boolean =>
  wide.protocol === piece.protocol && wide.from <= piece.from && piece.to <= wide.to;

/** The range cut wherever another rule's begins or ends, so that each piece is in all of it or in nothing. */
export function piecesOf(ports: PortRange, others: readonly PortRange[]): readonly PortRange[] {
  const cuts = new Set([ports.from]);
  for (const { protocol, from, to } of others) {
    if (protocol !== ports.protocol) continue;
    for (const cut of [from, to + 1]) if (cut > ports.from && cut <= ports.to) cuts.add(cut);
  }
  const starts = [...cuts].sort((a, b) => a - b);
  return starts.map((from, i) => ({ ...ports, from, to: (starts[i + 1] ?? ports.to + 1) - 1 }));
}

/** `tcp 443,8000-8010 udp 53`; protocols without a port by their name, all of them as `any`. */
export function formatPorts(ports: readonly PortRange[]): string {
  const by = Map.groupBy(ports, ({ protocol }) => protocol);
  const whole = [...by].filter(([protocol, ranges]) =>
    joinPorts(ranges).every(({ from, to }) => from <= 1 && to === spans[protocol].to),
  );
  if (whole.length === kinds.length) return "any";
  return [...by]
    .map(([protocol, ranges]) =>
      whole.some(([name]) => name === protocol)
        ? protocol
        : `${labels[protocol]} ${joinPorts(ranges).map(formatRange).join(",")}`,
    )
    .join(" ");
}

const labels: Readonly<Record<Kind, string>> = {
  tcp: "tcp",
  udp: "udp",
  icmp: "icmp type",
  sctp: "sctp",
  other: "protocol",
};

function formatRange({ protocol, from, to }: PortRange): string {
  const isV6 = protocol === "icmp" && from >= v6Types;
  const [first, last] = isV6 ? [from - v6Types, to - v6Types] : [from, to];
  const prefix = protocol !== "icmp" ? "" : isV6 ? "v6:" : "v4:";
  return prefix + (first === last ? String(first) : `${first}-${last}`);
}

function joinPorts(ranges: readonly PortRange[]): readonly PortRange[] {
  const found: PortRange[] = [];
  for (const range of [...ranges].sort((a, b) => a.from - b.from)) {
    const before = found.at(-1);
    if (before !== undefined && range.from <= before.to + 1)
      found[found.length - 1] = { ...before, to: Math.max(before.to, range.to) };
    else found.push(range);
  }
  return found;
}
