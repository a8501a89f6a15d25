/**
 * The oracle: what a host must do with a packet, read from intent as people write it and from the guard's file, row by
 * row and word by word. It shares nothing with compiler, simulator or renderer, not even how an address is read, so that
 * a mistake has to be made twice to go unseen. Slow, and plain on purpose.
 */
import type { Guard } from "#schema/guard.ts";
import type { Packet } from "#core/simulate/index.ts";
import type { WrittenRow } from "#test/support/intent.ts";
import { portsOfMacro } from "#test/support/services.ts";

export interface Opinion {
  readonly verdict: "accept" | "drop";
  /** What the row that is named must begin with, one of these; empty: no row is to be named. */
  readonly rows: readonly string[];
  /** The shared counter of an overlay. */
  readonly tally: string | null;
}

type Body<K extends WrittenRow["kind"]> = Extract<WrittenRow, { readonly kind: K }>["body"];
type Grant = Body<"service">["ingress"][number];
type Judging = Pick<Guard, "management" | "output">;

const say = (
  verdict: Opinion["verdict"],
  rows: readonly string[] = [],
  tally: string | null = null,
): Opinion => ({
  verdict,
  rows,
  tally,
});

export function opinionOf(
  rows: readonly WrittenRow[],
  host: string,
  packet: Packet,
  guard: Judging = { management: { interfaces: [], allow: [] } },
): Opinion {
  switch (packet.hook) {
    case "input":
      return comingIn(rows, host, packet, guard);
    case "output":
      return goingOut(packet, guard);
    case "forward":
      return goingThrough(rows, host, packet);
    case "bridge":
      throw new RangeError("intent has no bridges yet");
  }
}

type Of<H extends Packet["hook"]> = Extract<Packet, { readonly hook: H }>;

function comingIn(
  rows: readonly WrittenRow[],
  host: string,
  packet: Of<"input">,
  guard: Judging,
): Opinion {
  const { source, destination, state } = packet;
  const v6 = source.includes(":");
  if (packet.iif === "lo" || guard.management.interfaces.includes(packet.iif)) return say("accept");
  if (
    isPort(packet) &&
    guard.management.allow.some((flow) => isFlow(flow, packet.protocol, packet.port, source))
  )
    return say("accept");
  if (state === "established" || state === "related") return say("accept");
  if (packet.protocol === "icmp" && v6 && packet.icmpType === 129 && isIn("fe80::/10", source))
    return say("accept");
  if (state === "invalid") return say("drop");
  if (packet.protocol === "icmp" && (v6 ? icmp6 : icmp4).has(packet.icmpType)) return say("accept");
  if (packet.protocol === "igmp" && packet.ttl === 1 && isIn("224.0.0.0/4", destination))
    return say("accept");
  if (packet.protocol === "udp" && !v6 && packet.sourcePort === 67 && packet.port === 68)
    return say("accept");
  if (packet.protocol === "udp" && packet.port === 546 && isIn("fe80::/10", destination))
    return say("accept");
  if (isSpoofed(rows, host, packet.iif, source)) return say("drop", [], "c_spoofed");
  const granting = isPort(packet)
    ? servicesFor(rows, host).filter(([, grants]) => grants.some(lets(rows, packet)))
    : [];
  return granting.length > 0
    ? say(
        "accept",
        granting.map(([key]) => `services/${key}#`),
      )
    : say("drop", ["defaults/host#in"]);
}

function goingOut(packet: Of<"output">, { management, output }: Judging): Opinion {
  const { source, destination, state } = packet;
  const v6 = source.includes(":");
  if (output === undefined || packet.oif === "lo" || management.interfaces.includes(packet.oif))
    return say("accept");
  if (isPort(packet)) {
    const { protocol, sourcePort } = packet;
    if (management.allow.some((flow) => isFlow(flow, protocol, sourcePort ?? 0, destination)))
      return say("accept");
    if (output.allow.some((flow) => isFlow(flow, protocol, packet.port, destination)))
      return say("accept");
  }
  if (state === "established" || state === "related") return say("accept");
  if (packet.protocol === "icmp" && (v6 ? icmp6 : icmp4).has(packet.icmpType)) return say("accept");
  if (packet.protocol === "igmp" && packet.ttl === 1 && isIn("224.0.0.0/4", destination))
    return say("accept");
  if (packet.protocol === "udp" && !v6 && packet.sourcePort === 68 && packet.port === 67)
    return say("accept");
  if (
    packet.protocol === "udp" &&
    packet.sourcePort === 546 &&
    packet.port === 547 &&
    isIn("fe80::/10", source)
  )
    return say("accept");
  return say("drop");
}

function goingThrough(rows: readonly WrittenRow[], host: string, packet: Of<"forward">): Opinion {
  const { iif, oif, source, destination } = packet;
  const mine = overlaysOf(rows, host);
  const from = mine.find(([, { interfaces }]) => interfaces.includes(iif));
  const to = mine.find(([, { interfaces }]) => interfaces.includes(oif));
  if (from === undefined && to === undefined) return say("accept");
  if (isSpoofed(rows, host, iif, source)) return say("drop", [], "c_spoofed");
  if (from === undefined) return say("drop", [`overlays/${to?.[0]}#ingress`], "c_ingress");
  const [key, { policy, subnets }] = from;
  if (to?.[0] !== key) return say("drop", [`overlays/${key}#egress`], "c_egress");
  const together = subnets.some((subnet) => isIn(subnet, source) && isIn(subnet, destination));
  const groups = (address: string): readonly string[] =>
    rows.flatMap((row) =>
      row.kind === "member" &&
      row.key.startsWith(`${key}/`) &&
      row.body.addresses?.includes(address) === true
        ? [row.body.group]
        : [],
    );
  const friends = groups(source).filter((group) => groups(destination).includes(group));
  const tally = together ? "c_same_subnet" : "c_cross_subnet";
  if (policy === "same-subnet" && together)
    return say("accept", [`overlays/${key}#same-subnet`], tally);
  if (policy === "group-based" && friends.length > 0)
    return say(
      "accept",
      friends.map((group) => `overlays/${key}#group/${group}`),
      tally,
    );
  return say("drop", [`overlays/${key}#policy`], tally);
}

/** Errors and echo; for IPv6 what RFC 4890 has for a host: errors, echo, MLD, routers and neighbours. */
const icmp4 = new Set([3, 8, 11, 12]);
const icmp6 = new Set([1, 2, 3, 4, 128, 130, 131, 132, 133, 134, 135, 136, 143]);

type Ported = Packet & { readonly protocol: "tcp" | "udp" };
const isPort = (packet: Packet): packet is Ported =>
  packet.protocol === "tcp" || packet.protocol === "udp";

type Flow = Guard["management"]["allow"][number];

const isFlow = (flow: Flow, protocol: string, port: number, peer: string): boolean =>
  flow.proto === protocol &&
  flow.port <= port &&
  port <= (flow.last_port ?? flow.port) &&
  isIn(flow.cidr, peer);

const overlaysOf = (
  rows: readonly WrittenRow[],
  host: string,
): readonly (readonly [string, Body<"overlay">])[] =>
  rows.flatMap((row) =>
    row.kind === "overlay" && row.body.host === host ? [[row.key, row.body] as const] : [],
  );

/** What comes by a tunnel has a source of its overlay, and nothing else has; but for sources of any link. */
function isSpoofed(
  rows: readonly WrittenRow[],
  host: string,
  iif: string,
  source: string,
): boolean {
  if (["0.0.0.0/32", "169.254.0.0/16", "::/128", "fe80::/10"].some((each) => isIn(each, source)))
    return false;
  const mine = overlaysOf(rows, host).map(([, body]) => body);
  const tunnel = mine.find(({ interfaces }) => interfaces.includes(iif));
  const within = (subnets: readonly string[]): boolean =>
    subnets.some((subnet) => isIn(subnet, source));
  return tunnel === undefined
    ? mine.some(({ subnets }) => within(subnets))
    : !within(tunnel.subnets);
}

function servicesFor(
  rows: readonly WrittenRow[],
  host: string,
): readonly (readonly [string, readonly Grant[]])[] {
  const roles = rows.flatMap((row) =>
    row.kind === "host" && row.key === host ? (row.body.roles ?? []) : [],
  );
  return rows.flatMap((row) => {
    if (row.kind !== "service") return [];
    const targets = row.body.to ?? [`role:${row.key}`];
    const isMine = targets.some(
      (to) => to === `host:${host}` || roles.some((role) => to === `role:${role}`),
    );
    return isMine ? [[row.key, row.body.ingress] as const] : [];
  });
}

/** Whether a grant lets a packet in. */
const lets =
  (rows: readonly WrittenRow[], packet: Ported) =>
  ({ from, port, proto, macro, expires_at }: Grant): boolean => {
    if (
      expires_at !== undefined &&
      packet.at !== undefined &&
      packet.at * 1000 >= Date.parse(expires_at)
    )
      return false;
    const [low = 0, high = low] = String(port).split("-").map(Number);
    const ports = macro === undefined ? [{ proto, from: low, to: high }] : portsOfMacro(macro);
    return (
      ports.some(
        (each) =>
          each.proto === packet.protocol && each.from <= packet.port && packet.port <= each.to,
      ) && isFrom(rows, from, packet.source)
    );
  };

/** Whether a `from` means a source. A bare name is whatever bears it: intent in which two things do does not compile. */
function isFrom(rows: readonly WrittenRow[], from: string, source: string): boolean {
  if (from === "any") return true;
  if (/^[0-9a-f:.]+\/\d+$/.test(from)) return isIn(from, source);
  const [, kind, name = from] = /^(zone|role|host|group):(.*)$/.exec(from) ?? [];
  return rows.some((row) => {
    switch (row.kind) {
      case "zone":
        return (
          (kind ?? "zone") === "zone" &&
          row.key === name &&
          row.body.cidrs?.some((cidr) => isIn(cidr, source)) === true
        );
      case "host": {
        const named = (kind ?? "host") === "host" && row.key === name;
        const fills = (kind ?? "role") === "role" && row.body.roles?.includes(name) === true;
        return (named || fills) && row.body.addresses?.includes(source) === true;
      }
      case "member":
        return (
          kind === "group" &&
          `${row.key.slice(0, row.key.indexOf("/"))}/${row.body.group}` === name &&
          row.body.addresses?.includes(source) === true
        );
      case "overlay":
      case "service":
        return false;
    }
  });
}

/** Bits of an address as text of 0 and 1. */
function bitsOf(address: string): string {
  if (!address.includes(":"))
    return address
      .split(".")
      .map((part) => Number(part).toString(2).padStart(8, "0"))
      .join("");
  const [head = "", tail] = address.split("::");
  const words = (text: string): string[] => (text === "" ? [] : text.split(":"));
  const [left, right] = [words(head), words(tail ?? "")];
  const gap =
    tail === undefined ? [] : Array.from({ length: 8 - left.length - right.length }, () => "0");
  return [...left, ...gap, ...right]
    .map((word) => Number.parseInt(word, 16).toString(2).padStart(16, "0"))
    .join("");
}

const known = new Map<string, string>();

function isIn(network: string, address: string): boolean {
  if (network.includes(":") !== address.includes(":")) return false;
  const [base = "", length = "0"] = network.split("/");
  const bits = (text: string): string => {
    const found = known.get(text) ?? bitsOf(text);
    known.set(text, found);
    return found;
  };
  return bits(address).startsWith(bits(base).slice(0, Number(length)));
}
