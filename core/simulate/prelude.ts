/**
 * The steps of schema/always.ts, as a function: what a host lets pass before it asks its rules. Management stands
 * among them, so no ruleset can shut it (law 3).
 */
import type { Network } from "#schema/address.ts";
import { contains, requireNetwork } from "#schema/address.ts";
import type { Always } from "#schema/always.ts";
import { always } from "#schema/always.ts";
import type { GuardFlow } from "#schema/guard.ts";
import type { Flow, PacketGuard, Packet } from "./packet.ts";

/** The verdict of the first step that matches, or null: ask the rules. */
export function findAlwaysVerdict(
  direction: "in" | "out",
  flow: Flow,
  guard: PacketGuard,
): "accept" | "drop" | null {
  return always[direction].find((step) => matchesStep(step, flow, guard))?.verdict ?? null;
}

function matchesStep(step: Always, flow: Flow, guard: PacketGuard): boolean {
  const { packet, source, destination } = flow;
  switch (step.kind) {
    case "loopback":
      return (
        (packet.hook === "input" && packet.iif === "lo") ||
        (packet.hook === "output" && packet.oif === "lo")
      );
    case "management":
      return isManagement(flow, guard);
    case "narrowing":
      return guard.output !== undefined && !mayBegin(flow, guard);
    case "state":
      return step.states.some((state) => state === packet.state);
    case "icmp":
      return (
        packet.protocol === "icmp" &&
        source.family === step.family &&
        step.types.some(({ type }) => type === packet.icmpType) &&
        within(step.source, source)
      );
    case "igmp":
      return (
        packet.protocol === "igmp" &&
        packet.ttl === step.ttl &&
        within(step.destination, destination)
      );
    case "dhcp":
      return (
        packet.protocol === "udp" &&
        source.family === step.family &&
        (step.sourcePort === null || packet.sourcePort === step.sourcePort) &&
        packet.port === step.destinationPort &&
        within(step.source, source) &&
        within(step.destination, destination)
      );
  }
}

const within = (network: string | null, address: Network): boolean =>
  network === null || contains(requireNetwork(network), address);

/** What comes in by the management plane, or what leaves by it: answers go from the port that was asked. */
function isManagement({ packet, source, destination }: Flow, { management }: PacketGuard): boolean {
  switch (packet.hook) {
    case "forward":
    case "bridge":
      return false;
    case "input":
      return (
        management.interfaces.includes(packet.iif) ||
        isAnyOf(management.allow, packet, "port", source)
      );
    case "output":
      return (
        management.interfaces.includes(packet.oif) ||
        isAnyOf(management.allow, packet, "sourcePort", destination)
      );
  }
}

/** Whether a guard with `output` lets a packet go on to the rules. */
const mayBegin = ({ packet, destination }: Flow, { output }: PacketGuard): boolean =>
  packet.hook === "output" && isAnyOf(output?.allow ?? [], packet, "port", destination);

/** @param end whose port the flow names @param peer the other end's address */
function isAnyOf(
  flows: readonly GuardFlow[],
  packet: Packet,
  end: "port" | "sourcePort",
  peer: Network,
): boolean {
  if (packet.protocol !== "tcp" && packet.protocol !== "udp") return false;
  const { protocol, [end]: port } = packet;
  return (
    port !== undefined &&
    flows.some(
      (flow) =>
        flow.proto === protocol &&
        flow.port <= port &&
        port <= (flow.last_port ?? flow.port) &&
        contains(requireNetwork(flow.cidr), peer),
    )
  );
}
