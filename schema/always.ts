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
  /** The guard's management plane: first its interfaces, then its flows. Nothing without a guard. */
  | { readonly kind: "management"; readonly verdict: "accept" }
  /**
   * What the guard's `output` does not let this host begin: whatever neither leaves by a management interface, nor
   * answers a management flow from its port, nor is one of the flows allowed. Nothing where the guard has none.
   * Answers count by their port because conntrack takes a flow that it meets in an answer for one that we begin.
   */
  | { readonly kind: "narrowing"; readonly verdict: "drop" }
  | {
      readonly kind: "state";
      readonly states: readonly ConntrackState[];
      readonly verdict: "accept" | "drop";
    }
  | {
      readonly kind: "icmp";
      readonly family: Family;
      readonly types: readonly IcmpType[];
      readonly verdict: "accept";
    }
  | {
      readonly kind: "dhcp";
      readonly family: Family;
      /** Network that holds the source, or null for any. */
      readonly source: string | null;
      readonly sourcePort: number;
      readonly destinationPort: number;
      readonly verdict: "accept";
    };

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

const icmp: readonly Always[] = [
  { kind: "icmp", family: "v4", types: icmp4, verdict: "accept" },
  { kind: "icmp", family: "v6", types: icmp6, verdict: "accept" },
];

const replies: Always = { kind: "state", states: ["established", "related"], verdict: "accept" };

/** DHCP as a client: RFC 2131 §4.1 (ports 67, 68); RFC 8415 §7.2 (546, 547), from link-local addresses (§17). */
const dhcp = (
  family: Family,
  source: string | null,
  sourcePort: number,
  destinationPort: number,
): Always => ({
  kind: "dhcp",
  family,
  source,
  sourcePort,
  destinationPort,
  verdict: "accept",
});

/** Steps before the rules of a host scope, by direction, in order of evaluation. */
export const always: Readonly<Record<"in" | "out", readonly Always[]>> = {
  in: [
    { kind: "loopback", verdict: "accept" },
    { kind: "management", verdict: "accept" },
    replies,
    { kind: "state", states: ["invalid"], verdict: "drop" },
    ...icmp,
    dhcp("v4", null, 67, 68),
    dhcp("v6", "fe80::/10", 547, 546),
  ],
  out: [
    { kind: "loopback", verdict: "accept" },
    replies,
    ...icmp,
    dhcp("v4", null, 68, 67),
    dhcp("v6", "fe80::/10", 546, 547),
    { kind: "narrowing", verdict: "drop" },
  ],
};
