/** Protocols and ports as ranges: cutting them where others begin and end, and saying what is left. Pure. */
import type { Protocol } from "#schema/ruleset.ts";

/** A range of ports of a protocol that has ports, or all of one that has none; `other`: neither tcp, udp nor ICMP. */
export interface PortRange {
  readonly protocol: "tcp" | "udp" | "icmp" | "other";
  readonly from: number;
  readonly to: number;
}

const all = { from: 0, to: 65_535 } as const;

export function portsOf(protocol: Protocol): readonly PortRange[] {
  switch (protocol.kind) {
    case "any":
      return (["tcp", "udp", "icmp", "other"] as const).map((name) => ({ protocol: name, ...all }));
    case "icmp":
      return [{ protocol: "icmp", ...all }];
    case "tcp":
    case "udp":
      return protocol.ports.kind === "any"
        ? [{ protocol: protocol.kind, ...all }]
        : protocol.ports.ranges.map(({ from, to }) => ({ protocol: protocol.kind, from, to }));
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
  const whole = [...by].filter(([, ranges]) =>
    joinPorts(ranges).every(({ from, to }) => from <= 1 && to === all.to),
  );
  if (whole.length === 4) return "any";
  return [...by]
    .map(([protocol, ranges]) => {
      const texts = joinPorts(ranges).map(({ from, to }) =>
        from === to ? String(from) : `${from}-${to}`,
      );
      return whole.some(([name]) => name === protocol)
        ? protocol
        : `${protocol} ${texts.join(",")}`;
    })
    .join(" ");
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
