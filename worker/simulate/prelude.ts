/**
 * The steps of schema/always.ts, as a function: what a host lets pass before it asks its rules. Management stands
 * among them, so no ruleset can shut it (law 3).
 */
import { contains, knownNetwork } from "#schema/address.ts";
import type { Always } from "#schema/always.ts";
import { always } from "#schema/always.ts";
import type { Flow, Management } from "./packet.ts";

/** The verdict of the first step that matches, or null: ask the rules. */
export function alwaysVerdict(
  direction: "in" | "out",
  flow: Flow,
  management: Management,
): "accept" | "drop" | null {
  return always[direction].find((step) => matchesStep(step, flow, management))?.verdict ?? null;
}

function matchesStep(step: Always, { packet, source }: Flow, management: Management): boolean {
  switch (step.kind) {
    case "loopback":
      return (
        (packet.hook === "input" && packet.iif === "lo") || (packet.hook === "output" && packet.oif === "lo")
      );
    case "management":
      return isManagement({ packet, source }, management);
    case "state":
      return step.states.some((state) => state === packet.state);
    case "icmp":
      return (
        packet.protocol === "icmp" &&
        source.family === step.family &&
        step.types.some(({ type }) => type === packet.icmpType)
      );
    case "dhcp":
      return (
        packet.protocol === "udp" &&
        source.family === step.family &&
        packet.sourcePort === step.sourcePort &&
        packet.port === step.destinationPort &&
        (step.source === null || contains(knownNetwork(step.source), source))
      );
  }
}

function isManagement({ packet, source }: Pick<Flow, "packet" | "source">, management: Management): boolean {
  if (packet.hook !== "input") return false;
  return (
    management.interfaces.includes(packet.iif) ||
    management.allow.some(
      (flow) =>
        flow.proto === packet.protocol &&
        packet.port !== undefined &&
        packet.port >= flow.port &&
        packet.port <= (flow.last_port ?? flow.port) &&
        contains(knownNetwork(flow.cidr), source),
    )
  );
}
