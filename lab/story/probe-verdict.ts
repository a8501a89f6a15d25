/**
 * What `simulate` says of a probe on its whole way, there and back: the sender's output, the gateway's forwarding, the
 * receiver's input; then the same for the answer. Machines without an agent have no say.
 */
import type { Verdict } from "#schema/ruleset.ts";
import type { Hook, PacketVerdict, Packet, Payload } from "#core/simulate/index.ts";
import type { Station } from "#lab/net/network.ts";
import type { LabFamily, Probe } from "#lab/net/probe.ts";

export type Simulator = (packet: Packet) => PacketVerdict;

export interface ProbeVerdict {
  readonly verdict: Verdict;
  /** The row that dropped the probe, or the last that let it pass; null where no rule was asked. */
  readonly row: string | null;
}

/** Judges by host. A managed host that is not among them has no rules yet, and no say. */
export function simulateProbe(
  simulators: ReadonlyMap<string, Simulator>,
  gateway: Station,
  { from, to, ask }: Probe<Station>,
  family: LabFamily,
): ProbeVerdict {
  const [request, reply] = makePayloads(ask, family);
  const there = simulateWay(simulators, gateway, from, to, family, { ...request, state: "new" });
  if (there.verdict !== "accept") return there;
  const back = simulateWay(simulators, gateway, to, from, family, {
    ...reply,
    state: "established",
  });
  return back.verdict === "accept" ? there : back;
}

type Sent = Payload & Pick<Packet, "state">;

const someClientPort = 40_000;
const echo = { v4: { request: 8, reply: 0 }, v6: { request: 128, reply: 129 } } as const;

function makePayloads(ask: Probe["ask"], family: LabFamily): readonly [Payload, Payload] {
  if (ask.protocol === "ping") {
    const { request, reply } = echo[family];
    return [
      { protocol: "icmp", icmpType: request },
      { protocol: "icmp", icmpType: reply },
    ];
  }
  const { protocol, port } = ask;
  return [
    { protocol, port, sourcePort: someClientPort },
    { protocol, port: someClientPort, sourcePort: port },
  ];
}

function simulateWay(
  simulators: ReadonlyMap<string, Simulator>,
  gateway: Station,
  from: Station,
  to: Station,
  family: LabFamily,
  told: Sent,
): ProbeVerdict {
  let row: string | null = null;
  for (const { host, hook } of listHops(gateway, from, to)) {
    const judged = simulators.get(host)?.({
      ...hook,
      ...told,
      source: from.address[family],
      destination: to.address[family],
    });
    if (judged === undefined) continue;
    row = judged.row ?? row;
    if (judged.verdict !== "accept") return { verdict: judged.verdict, row };
  }
  return { verdict: "accept", row };
}

/** A machine's own interface is eth0; the gateway's is the one that the other is behind. */
function listHops(
  gateway: Station,
  from: Station,
  to: Station,
): readonly { readonly host: string; readonly hook: Hook }[] {
  const [inward, outward] = [from.behind ?? "lo", to.behind ?? "lo"];
  const forward: Hook = { hook: "forward", iif: inward, oif: outward };
  return [
    { host: from.name, hook: { hook: "output", oif: from === gateway ? outward : "eth0" } },
    ...(from === gateway || to === gateway ? [] : [{ host: gateway.name, hook: forward }]),
    { host: to.name, hook: { hook: "input", iif: to === gateway ? inward : "eth0" } },
  ];
}
