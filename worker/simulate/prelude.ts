/**
 * The steps of schema/always.ts, as a function: what a host lets pass before it asks its rules. Management stands
 * among them, so no ruleset can shut it (law 3).
 */
import type { Network } from "#schema/address.ts";
import { contains, knownNetwork } from "#schema/address.ts";
import type { Always } from "#schema/always.ts";
import { always } from "#schema/always.ts";
import type { GuardFlow } from "#schema/guard.ts";
import type { Flow, JudgingGuard } from "./packet.ts";

/** The verdict of the first step that matches, or null: ask the rules. */
export function alwaysVerdict(
  direction: "in" | "out",
  flow: Flow,
  guard: JudgingGuard,
): "accept" | "drop" | null {
  return always[direction].find((step) => matchesStep(step, flow, guard))?.verdict ?? null;
}

function matchesStep(step: Always, flow: Flow, guard: JudgingGuard): boolean {
  const { packet, source, destination } = flow;
  switch (step.kind) {
    case "loopback":
      return (
        (packet.hook === "input" && packet.iif === "lo") || (packet.hook === "output" && packet.oif === "lo")
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
      return packet.protocol === "igmp" && packet.ttl === step.ttl && within(step.destination, destination);
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
  network === null || contains(knownNetwork(network), address);

function isManagement({ packet, source }: Flow, { management }: JudgingGuard): boolean {
  if (packet.hook !== "input") return false;
  if (management.interfaces.includes(packet.iif)) return true;
  if (packet.protocol !== "tcp" && packet.protocol !== "udp") return false;
  const { protocol, port } = packet;
  return management.allow.some((flow) => isFlow(flow, protocol, port, source));
}

/** Whether a guard with `output` lets a packet go on to the rules. */
function mayBegin({ packet, destination }: Flow, { management, output }: JudgingGuard): boolean {
  if (packet.hook !== "output") return false;
  if (management.interfaces.includes(packet.oif)) return true;
  if (packet.protocol !== "tcp" && packet.protocol !== "udp") return false;
  const { protocol, port, sourcePort } = packet;
  return (
    management.allow.some((flow) => isFlow(flow, protocol, sourcePort, destination)) ||
    output?.allow.some((flow) => isFlow(flow, protocol, port, destination)) === true
  );
}

/** @param peer the other end's address */
const isFlow = (flow: GuardFlow, protocol: "tcp" | "udp", port: number | undefined, peer: Network): boolean =>
  flow.proto === protocol &&
  port !== undefined &&
  flow.port <= port &&
  port <= (flow.last_port ?? flow.port) &&
  contains(knownNetwork(flow.cidr), peer);
