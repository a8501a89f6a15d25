/**
 * Which tracked flows a ruleset no longer allows. Pure: it reads conntrack's listing and asks `simulate`, the one
 * meaning of a ruleset (law 5), whether the flow could begin now.
 *
 * Only the host's own flows are judged: overlays are stateless, so a removed member is cut by the next packet.
 * A flow is cut when the rules before allowed it and the rules now do not; what nobody can decide is left alone.
 */
import { parseAddress } from "#schema/address.ts";
import type { Ruleset } from "#schema/ruleset.ts";
import { type Judgement, type Management, type Packet, type Payload, prepare } from "#simulate/index.ts";

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
  readonly management: Management;
}

/** What the closed ruleset means for the flows that come in: nothing begins but management. */
export const closedRules = (management: Management): Rules => ({
  management,
  ruleset: {
    scopes: [{ kind: "host" }],
    sets: [],
    classes: [],
    rules: [
      {
        row: "guard/closed",
        scope: "host",
        layer: "l3",
        direction: "in",
        protocol: { kind: "any" },
        source: { kind: "any" },
        destination: { kind: "any" },
        state: "any",
        verdict: "drop",
        counter: "r_closed",
        expires: null,
      },
    ],
  },
});

const tuple = String.raw`src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)`;
/** Lines of `conntrack -L -o extended`; those of other protocols, of helpers and of zones do not match. */
const entry = new RegExp(
  String.raw`^(ipv4|ipv6)\s+\d+\s+(tcp|udp)\s+\d+\s(?:[^=]*\s)?${tuple}\s(?:packets=\d+ bytes=\d+\s)?(?:\[UNREPLIED\]\s)?${tuple}(?!.*\szone=)`,
);

/** The TCP and UDP flows of a listing. */
export function parseFlows(listing: string): readonly Flow[] {
  return listing.split("\n").flatMap((line) => {
    const [, family, protocol, ...words] = entry.exec(line) ?? [];
    if ((family !== "ipv4" && family !== "ipv6") || (protocol !== "tcp" && protocol !== "udp")) return [];
    const [original, reply] = [tupleOf(words.slice(0, 4)), tupleOf(words.slice(4, 8))];
    return original === undefined || reply === undefined ? [] : [{ family, protocol, original, reply }];
  });
}

function tupleOf([source = "", destination = "", sourcePort, destinationPort]: readonly string[]):
  | Tuple
  | undefined {
  if (!parseAddress(source).ok || !parseAddress(destination).ok) return undefined;
  return { source, destination, sourcePort: Number(sourcePort), destinationPort: Number(destinationPort) };
}

/** What the host knows about where a flow's ends are. */
export interface Paths {
  /** The host's own addresses, by the interface that has them. */
  readonly own: ReadonlyMap<string, string>;
  /** The interface by which the host reaches an address, and by which it hears from it; empty when not known. */
  readonly by: (address: string) => string;
}

/** A flow that rules do not allow, and what says so. */
export interface CutFlow extends Pick<Judgement, "verdict" | "row"> {
  readonly flow: Flow;
  /** Whether it comes to this host, or goes out from it. */
  readonly direction: "in" | "out";
}

/**
 * The flows that `now` does not allow and `before` did.
 * @param before undefined when it is not known, as after a restart: then everything counts as allowed before
 * @param at Unix seconds, for rules that expire
 */
export function noLongerAllowed(
  flows: readonly Flow[],
  paths: Paths,
  now: Rules,
  before: Rules | undefined,
  at: number,
): readonly CutFlow[] {
  const judge = judgeOf(now);
  const judgeBefore = before === undefined ? undefined : judgeOf(before);
  return flows.flatMap((flow) => {
    const packet = firstPacket(flow, paths);
    if (packet === undefined || endsAtManagement(packet, paths, now.management)) return [];
    const { verdict, row } = judge({ ...packet, at });
    // A rule that has expired since the apply before allowed its flows then.
    const allowedBefore = judgeBefore === undefined || judgeBefore(packet).verdict === "accept";
    if (verdict === "accept" || !allowedBefore) return [];
    return [{ flow, direction: packet.hook === "input" ? "in" : "out", verdict, row }];
  });
}

const judgeOf = ({ ruleset, management }: Rules): ((packet: Packet) => Judgement) =>
  prepare(ruleset, management);

/** The flow's first packet as the host's chain sees it; undefined for what is forwarded or stays on the loopback. */
function firstPacket({ protocol, original, reply }: Flow, { own, by }: Paths): Packet | undefined {
  const [source, destination] = [original.source, reply.source];
  const [from, to] = [own.has(source), own.has(destination)];
  if (from === to) return undefined;
  const payload: Payload = { protocol, port: reply.sourcePort, sourcePort: original.sourcePort };
  const ends = { source, destination, state: "new" } as const;
  return to
    ? { ...payload, ...ends, hook: "input", iif: by(source) }
    : { ...payload, ...ends, hook: "output", oif: by(destination) };
}

/** Conntrack does not say by which interface a flow came: one to a management interface's address is not ended. */
const endsAtManagement = (packet: Packet, { own }: Paths, { interfaces }: Management): boolean =>
  packet.hook === "input" && interfaces.includes(own.get(packet.destination) ?? "");
