/**
 * What passes every host scope before its rules are read, in order. One table for `simulate` and every renderer: the
 * first step that matches a packet decides, and only a packet that matches none reaches the rules (DESIGN §5).
 *
 * Without these a default-deny host breaks in ways nobody traces to a firewall: path MTU black holes, a neighbour that
 * no longer resolves, an address lease that runs out. `management` stands for the host's own guard (law 3).
 */
import type { Family } from "./address.ts";

/** An ICMP type by its nft name and its number on the wire. */
export interface IcmpType {
  readonly name: string;
  readonly type: number;
}

export type Always =
  /** By the loopback interface, `lo`: in for `in`, out for `out`. */
  | { readonly kind: "loopback"; readonly verdict: "accept" }
  /**
   * The guard's management plane, first its interfaces, then its flows; for `out` what leaves by those interfaces, and
   * what goes from the port of a flow to its network. Answers count by their port because conntrack takes a flow that
   * it meets in an answer for one that we begin. Nothing without a guard.
   */
  | { readonly kind: "management"; readonly verdict: "accept" }
  /**
   * What the guard's `output` does not let this host begin: whatever is none of the flows allowed. Nothing where the
   * guard has none.
   */
  | { readonly kind: "narrowing"; readonly verdict: "drop" }
  | {
      readonly kind: "state";
      readonly states: readonly ConntrackState[];
      readonly verdict: "accept" | "drop";
      /** Name of what counts these packets, or null. */
      readonly counter: string | null;
    }
  | {
      readonly kind: "icmp";
      readonly family: Family;
      readonly types: readonly IcmpType[];
      /** Network that holds the source, or null for any. */
      readonly source: string | null;
      readonly verdict: "accept";
    }
  /** IGMP on its link: to a group, and no router would hand it on. */
  | {
      readonly kind: "igmp";
      readonly destination: string;
      readonly ttl: number;
      readonly verdict: "accept";
    }
  | {
      readonly kind: "dhcp";
      readonly family: Family;
      /** Networks that hold the ends, and the port it comes from; null for any. */
      readonly source: string | null;
      readonly destination: string | null;
      readonly sourcePort: number | null;
      readonly destinationPort: number;
      readonly verdict: "accept";
    };

/** Counts what conntrack can make nothing of. No rule's counter has this name. */
export const invalidCounter = "c_invalid";

export type ConntrackState = "established" | "related" | "invalid";

/** Errors and echo (RFC 792); a host that hides them cannot learn its path MTU (RFC 1191). */
const icmp4: readonly IcmpType[] = [
  { name: "destination-unreachable", type: 3 },
  { name: "echo-request", type: 8 },
  { name: "time-exceeded", type: 11 },
  { name: "parameter-problem", type: 12 },
];

/**
 * RFC 4890 §4.4.1, "must not be dropped", for a host: errors, echo, MLD, router and neighbour discovery.
 * Left out: SEND, inverse ND and multicast router discovery (no users here), and redirects (§4.4.4, a local choice).
 */
const icmp6: readonly IcmpType[] = [
  { name: "destination-unreachable", type: 1 },
  { name: "packet-too-big", type: 2 },
  { name: "time-exceeded", type: 3 },
  { name: "parameter-problem", type: 4 },
  { name: "echo-request", type: 128 },
  { name: "mld-listener-query", type: 130 },
  { name: "mld-listener-report", type: 131 },
  { name: "mld-listener-done", type: 132 },
  { name: "nd-router-solicit", type: 133 },
  { name: "nd-router-advert", type: 134 },
  { name: "nd-neighbor-solicit", type: 135 },
  { name: "nd-neighbor-advert", type: 136 },
  { name: "mld2-listener-report", type: 143 },
];

const linkLocal = "fe80::/10";

const icmp: readonly Always[] = [
  { kind: "icmp", family: "v4", types: icmp4, source: null, verdict: "accept" },
  { kind: "icmp", family: "v6", types: icmp6, source: null, verdict: "accept" },
];

/**
 * What neighbours answer to an echo request to a group (`ping ff02::1`): conntrack waits for an answer from the group and
 * takes theirs for invalid. Nobody beyond the link can send it.
 */
const neighbours: Always = {
  kind: "icmp",
  family: "v6",
  types: [{ name: "echo-reply", type: 129 }],
  source: linkLocal,
  verdict: "accept",
};

/**
 * Queries to a host and its reports (RFC 3376 §4: sent with a TTL of 1; §5.2: a host answers queries), without which a
 * switch that snoops ends its groups. For IPv6 this is MLD, which is ICMP.
 */
const igmp: Always = { kind: "igmp", destination: "224.0.0.0/4", ttl: 1, verdict: "accept" };

const replies: Always = {
  kind: "state",
  states: ["established", "related"],
  verdict: "accept",
  counter: null,
};

type Dhcp = Extract<Always, { readonly kind: "dhcp" }>;
/** DHCP as a client. */
const dhcp = (
  family: Family,
  destinationPort: number,
  rest: Partial<Pick<Dhcp, "source" | "destination" | "sourcePort">>,
): Dhcp => ({
  kind: "dhcp",
  family,
  source: null,
  destination: null,
  sourcePort: null,
  destinationPort,
  ...rest,
  verdict: "accept",
});

/** Steps before the rules of a host scope, by direction, in order of evaluation. */
export const always: Readonly<Record<"in" | "out", readonly Always[]>> = {
  in: [
    { kind: "loopback", verdict: "accept" },
    { kind: "management", verdict: "accept" },
    replies,
    neighbours,
    { kind: "state", states: ["invalid"], verdict: "drop", counter: invalidCounter },
    ...icmp,
    igmp,
    // RFC 2131 §4.1.
    dhcp("v4", 68, { sourcePort: 67 }),
    // RFC 8415 §7.2: servers and relays send to 546, from whatever port and address; §16: to a link-local address.
    dhcp("v6", 546, { destination: linkLocal }),
  ],
  out: [
    { kind: "loopback", verdict: "accept" },
    { kind: "management", verdict: "accept" },
    replies,
    ...icmp,
    igmp,
    dhcp("v4", 67, { sourcePort: 68 }),
    // RFC 8415 §17.
    dhcp("v6", 547, { source: linkLocal, sourcePort: 546 }),
    { kind: "narrowing", verdict: "drop" },
  ],
};
