/**
 * Whether a guard that narrows output leaves its host a way to recover by itself (law 2): to its control plane, to
 * what its probes must reach, and to DNS where one of them is a name. Judges the guard's own words and asks nothing of
 * the network, so whoever narrows says it all in `output`; a management interface counts for nothing here, as a
 * route may change.
 */
import { contains, requireNetwork, type Network, parseAddress } from "#schema/address.ts";
import type { Guard, GuardFlow } from "#schema/guard.ts";

interface Target {
  readonly what: string;
  /** An address, or a name. */
  readonly host: string;
  readonly port: number;
}

/** DNS as resolvers speak it: RFC 1035, and over TLS (RFC 7858). */
const dns = [
  ["udp", 53],
  ["tcp", 53],
  ["tcp", 853],
] as const;

const loopback = ["127.0.0.0/8", "::1/128"].map(requireNetwork);

/** What `output` lacks, for people; undefined where nothing is missing. @param controlPlane its URL; undefined before it is known */
export function findUnreachable(
  { output, confirm }: Guard,
  controlPlane: string | undefined,
): string | undefined {
  if (output === undefined) return undefined;
  const targets = [
    ...(controlPlane === undefined ? [] : [targetOf(controlPlane)]),
    ...confirm.probes.map(({ host, port }) => ({ what: "a probe", host, port })),
  ];
  return targets
    .map((target) => describeMissing(output.allow, target))
    .find((text) => text !== undefined);
}

function targetOf(controlPlane: string): Target {
  const { hostname, port, protocol } = new URL(controlPlane);
  return {
    what: "the control plane",
    host: hostname.replace(/^\[|\]$/g, ""),
    port: port === "" ? (protocol === "http:" ? 80 : 443) : Number(port),
  };
}

function describeMissing(
  allow: readonly GuardFlow[],
  { what, host, port }: Target,
): string | undefined {
  const address = parseAddress(host);
  const network = address.ok ? address.value : undefined;
  if (
    host === "localhost" ||
    loopback.some((own) => network !== undefined && contains(own, network))
  )
    return undefined;
  if (!allow.some((flow) => covers(flow, "tcp", port, network)))
    return `expected tcp ${port} to ${host}, ${what}: without it a closed host could not recover`;
  if (
    network === undefined &&
    !dns.some(([proto, at]) => allow.some((flow) => covers(flow, proto, at, undefined)))
  )
    return `expected DNS (udp 53, tcp 53 or tcp 853), as ${host}, ${what}, is a name`;
  return undefined;
}

/** @param peer undefined: in whatever network */
const covers = (
  flow: GuardFlow,
  proto: "tcp" | "udp",
  port: number,
  peer: Network | undefined,
): boolean =>
  flow.proto === proto &&
  flow.port <= port &&
  port <= (flow.last_port ?? flow.port) &&
  (peer === undefined || contains(requireNetwork(flow.cidr), peer));
