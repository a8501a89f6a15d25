/**
 * Which tracked flows a ruleset no longer allows. Pure: it reads conntrack's listing and asks `simulate`, the one
 * meaning of a ruleset (law 5), whether the flow could begin now.
 *
 * Only the host's own flows are judged: overlays are stateless, so a removed member is cut by the next packet.
 * A flow is cut when the rules before allowed it and the rules now do not; what nobody can decide is left alone.
 */
import { parseAddress } from "#schema/address.ts";
import { type Ruleset, widest } from "#schema/ruleset.ts";
import {
  type PacketVerdict,
  type PacketGuard,
  type Packet,
  type Payload,
  prepare,
} from "#core/simulate/index.ts";

/** One direction of a flow, as conntrack spells it. */
interface Tuple {
  readonly source: string;
  readonly destination: string;
  /** Zero where the protocol has none. */
  readonly sourcePort: number;
  readonly destinationPort: number;
}

export interface Flow {
  readonly family: "ipv4" | "ipv6";
  readonly protocol: "tcp" | "udp";
  readonly original: Tuple;
  /** What comes back: its source is where the flow really ends, after address translation. */
  readonly reply: Tuple;
}

export interface Rules {
  readonly ruleset: Ruleset;
  readonly guard: PacketGuard;
}

/** What the closed ruleset means for the host's own flows: management begins, and what the guard's output allows. */
export const closedRules = (guard: PacketGuard): Rules => ({
  guard,
  ruleset: {
    scopes: [{ kind: "host" }],
    sets: [],
    classes: [],
    rules: [
      {
        ...widest,
        row: "guard/closed",
        scope: "host",
        section: "end",
        direction: "in",
        verdict: "drop",
        counter: "r_closed",
      },
    ],
  },
});

/** Entries of TCP connections that are over: nothing is sent in them any more, and a new one begins anew. */
const ended = String.raw`(?!(?:TIME_WAIT|CLOSE)\s)`;
const tuple = String.raw`src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)`;
/** Lines of `conntrack -L -o extended`; those of other protocols, of helpers and of zones do not match. */
const entry = new RegExp(
  String.raw`^(ipv4|ipv6)\s+\d+\s+(tcp|udp)\s+\d+\s+\d+\s+${ended}(?:[^=]*\s)?${tuple}\s(?:packets=\d+ bytes=\d+\s)?(?:\[UNREPLIED\]\s)?${tuple}(?!.*\szone=)`,
);

/** A TCP or UDP flow of conntrack's listing, one a line; undefined for a line about something else. */
export function parseFlow(line: string): Flow | undefined {
  const [, family, protocol, ...words] = entry.exec(line) ?? [];
  if ((family !== "ipv4" && family !== "ipv6") || (protocol !== "tcp" && protocol !== "udp"))
    return undefined;
  const [original, reply] = [tupleOf(words.slice(0, 4)), tupleOf(words.slice(4, 8))];
  return original === undefined || reply === undefined
    ? undefined
    : { family, protocol, original, reply };
}

function tupleOf([source = "", destination = "", sourcePort, destinationPort]: readonly string[]):
  | Tuple
  | undefined {
  if (!parseAddress(source).ok || !parseAddress(destination).ok) return undefined;
  return {
    source,
    destination,
    sourcePort: Number(sourcePort),
    destinationPort: Number(destinationPort),
  };
}

/** The TCP port of a line of `ss -H -n -t -l`, on which this host waits for connections. */
export function parseListener(line: string): number | undefined {
  const [, state, , port] = socket.exec(line) ?? [];
  return state === "LISTEN" ? Number(port) : undefined;
}

/**
 * The connection of a line of `ss -H -n -t -a`, as begun by the peer where this host listens on its port; undefined for
 * a socket without one, and for one that is over.
 */
export function parseConnection(line: string, listening: ReadonlySet<number>): Flow | undefined {
  const [, state, local = "", port = "", peer = "", peerPort = ""] = socket.exec(line) ?? [];
  if (state === undefined || state === "LISTEN" || state === "TIME-WAIT") return undefined;
  const out = tupleOf([plain(local), plain(peer), port, peerPort]);
  const back = tupleOf([plain(peer), plain(local), peerPort, port]);
  if (out === undefined || back === undefined) return undefined;
  const family = out.source.includes(":") ? "ipv6" : "ipv4";
  const [original, reply] = listening.has(out.sourcePort) ? [back, out] : [out, back];
  return { family, protocol: "tcp", original, reply };
}

const socket = /^(\S+)\s+\d+\s+\d+\s+(\S+):(\d+)\s+(\S+):(\d+|\*)(?:\s|$)/;
/** Without brackets and zone, and IPv4 as such where an IPv6 socket has it. */
const plain = (text: string): string =>
  text
    .replace(/%.*$/, "")
    .replace(/^\[|\]$/g, "")
    .replace(/^::ffff:(?=\d+\.)/, "");

/** The same for a flow whichever end is said to have begun it. */
export const endsOf = ({ protocol, original, reply }: Flow): string => {
  const ends = [`${original.source} ${original.sourcePort}`, `${reply.source} ${reply.sourcePort}`];
  return [protocol, ...ends.toSorted()].join(" ");
};

/** What the host knows about where a flow's ends are. */
export interface Paths {
  /** TCP ports on which this host waits for connections. */
  readonly listening: ReadonlySet<number>;
  /** The host's own addresses, by the interface that has them. */
  readonly own: ReadonlyMap<string, string>;
  /** The interface by which the host reaches an address, and by which it hears from it; empty when not known. */
  readonly by: (address: string) => string;
}

/** A flow that rules do not allow, and what says so. */
export interface CutFlow extends Pick<PacketVerdict, "verdict" | "row"> {
  readonly flow: Flow;
  /** Whether it comes to this host, or goes out from it. */
  readonly direction: "in" | "out";
  /** Where it was begun to: a port of this host, or with `out` of the peer. */
  readonly port: number;
  readonly peer: string;
}

/**
 * Judges flows, reading the rules once: a flow that `now` does not allow and `before` did, and what says so.
 * @param before undefined when it is not known, as after a restart: then everything counts as allowed before
 * @param at Unix seconds, for rules that expire
 */
export function makeFlowCheck(
  now: Rules,
  before: Rules | undefined,
  at: number,
): (flow: Flow, paths: Paths) => CutFlow | undefined {
  const decide = makeDecider(now);
  const decideBefore = before === undefined ? undefined : makeDecider(before);
  return (flow, paths) => {
    const packet = makeFirstPacket(flow, paths);
    if (packet === undefined || endsAtManagement(packet, paths, now.guard)) return undefined;
    const { verdict, row } = decide({ ...packet, at });
    if (verdict === "accept") return undefined;
    // A rule that has expired since the apply before allowed its flows then.
    if (decideBefore !== undefined && decideBefore(packet).verdict !== "accept") return undefined;
    const { hook, port, source, destination } = packet;
    const way =
      hook === "input"
        ? ({ direction: "in", peer: source } as const)
        : ({ direction: "out", peer: destination } as const);
    return { flow, ...way, port, verdict, row };
  };
}

const makeDecider = ({ ruleset, guard }: Rules): ((packet: Packet) => PacketVerdict) =>
  prepare(ruleset, guard);

/** The flow's first packet as the host's chain sees it; undefined for what is forwarded or stays on the loopback. */
function makeFirstPacket(
  flow: Flow,
  { own, by, listening }: Paths,
): (Packet & Payload & { port: number }) | undefined {
  const { protocol } = flow;
  // Of a connection that it met in the middle conntrack knows who spoke first, not who began (nf_conntrack_tcp_loose).
  const met =
    protocol === "tcp" && own.has(flow.original.source) && listening.has(flow.original.sourcePort);
  const [original, reply] = met ? [flow.reply, flow.original] : [flow.original, flow.reply];
  const [source, destination] = [original.source, reply.source];
  const [from, to] = [own.has(source), own.has(destination)];
  if (from === to) return undefined;
  const payload = { protocol, port: reply.sourcePort, sourcePort: original.sourcePort };
  const ends = { source, destination, state: "new" } as const;
  return to
    ? { ...payload, ...ends, hook: "input", iif: by(source) }
    : { ...payload, ...ends, hook: "output", oif: by(destination) };
}

/** Conntrack does not say by which interface a flow came: one to a management interface's address is not ended. */
const endsAtManagement = (packet: Packet, { own }: Paths, { management }: PacketGuard): boolean =>
  packet.hook === "input" && management.interfaces.includes(own.get(packet.destination) ?? "");
