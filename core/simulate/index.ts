/**
 * What a ruleset means, packet by packet: the reference that previews, tests and audit answers call, and that rendered
 * rules are held against in the kernel. The semantics are those of schema/ruleset.ts and schema/always.ts.
 *
 * Pure. Where a ruleset leaves a packet undecided, which its type forbids, the verdict is drop; so it is for what
 * comes in where it has no scope `host`.
 */
import type { Network } from "#schema/address.ts";
import { requireNetwork } from "#schema/address.ts";
import type { Direction, Ruleset, Tally } from "#schema/ruleset.ts";
import { listRuledDirections, scopeId, spoofedTally } from "#schema/ruleset.ts";
import type { Lookup } from "./match.ts";
import { findFirstMatch, lookupOf, sharesSubnet } from "./match.ts";
import type { Flow, PacketVerdict, PacketGuard, Packet } from "./packet.ts";
import { flowOf } from "./packet.ts";
import { findAlwaysVerdict } from "./prelude.ts";
import { makeSpoofCheck } from "./spoofed.ts";

export type { Hook, PacketVerdict, PacketGuard, Packet, PacketState, Payload } from "./packet.ts";

const noGuard: PacketGuard = { management: { interfaces: [], allow: [] } };
/** What is judged of the host's own traffic where no scope is about it. */
const withoutScope: readonly Direction[] = ["in"];
const leftAlone: PacketVerdict = { verdict: "accept", row: null, rule: null, tally: null };
const spoofed: PacketVerdict = { verdict: "drop", row: null, rule: null, tally: spoofedTally };

/** Judges one packet. @throws RangeError for an address that is not canonical, or for two families in one packet */
export const simulate = (
  ruleset: Ruleset,
  packet: Packet,
  guard: PacketGuard = noGuard,
): PacketVerdict => prepare(ruleset, guard)(packet);

/** Reads a ruleset once, to judge many packets. Relies on it satisfying the `Ruleset` type. */
export function prepare(
  ruleset: Ruleset,
  guard: PacketGuard = noGuard,
): (packet: Packet) => PacketVerdict {
  const lookup = lookupOf(ruleset);
  const overlays = mapOverlaysByInterface(ruleset);
  const isSpoofed = makeSpoofCheck(ruleset);
  const host = ruleset.scopes.find((scope) => scope.kind === "host");
  const limited = host === undefined ? withoutScope : listRuledDirections(ruleset, host);

  const evaluateHost = (direction: "in" | "out", flow: Flow): PacketVerdict => {
    const judged = limited.includes(direction);
    if (!judged && (direction === "in" || guard.output === undefined)) return leftAlone;
    const verdict = findAlwaysVerdict(direction, flow, guard);
    if (verdict !== null) return { ...leftAlone, verdict };
    if (!judged) return leftAlone;
    const { packet, source } = flow;
    if (host !== undefined && packet.hook === "input" && isSpoofed(packet.iif, source))
      return spoofed;
    return decide(lookup, hostScope, direction, flow);
  };

  return (packet) => {
    const flow = flowOf(packet);
    switch (packet.hook) {
      case "input":
        return evaluateHost("in", flow);
      case "output":
        return evaluateHost("out", flow);
      case "forward": {
        const [from, to] = [overlays.get(packet.iif), overlays.get(packet.oif)];
        const touches = from !== undefined || to !== undefined;
        return touches && isSpoofed(packet.iif, flow.source)
          ? spoofed
          : evaluateForward(lookup, from, to, flow);
      }
    }
  };
}

interface PreparedScope {
  readonly id: string;
  readonly subnets: readonly Network[];
}
const hostScope: PreparedScope = { id: "host", subnets: [] };

/** An interface is in one overlay at most. */
function mapOverlaysByInterface(ruleset: Ruleset): ReadonlyMap<string, PreparedScope> {
  return new Map(
    ruleset.scopes.flatMap((scope) => {
      if (scope.kind !== "overlay") return [];
      const prepared = { id: scopeId(scope), subnets: scope.subnets.map(requireNetwork) };
      return scope.interfaces.map((name) => [name, prepared] as const);
    }),
  );
}

/** Between two scopes, the one a packet leaves is asked first, and the one it enters only if the first accepts. */
function evaluateForward(
  lookup: Lookup,
  from: PreparedScope | undefined,
  to: PreparedScope | undefined,
  flow: Flow,
): PacketVerdict {
  if (from !== undefined && from === to) return decide(lookup, from, "peer", flow);
  const leaving = from === undefined ? leftAlone : decide(lookup, from, "out", flow);
  return leaving.verdict !== "accept" || to === undefined
    ? leaving
    : decide(lookup, to, "in", flow);
}

function decide(
  lookup: Lookup,
  scope: PreparedScope,
  direction: Direction,
  flow: Flow,
): PacketVerdict {
  const tally = scope === hostScope ? null : tallyOf(scope, direction, flow);
  const match = findFirstMatch(lookup, scope.id, scope.subnets, direction, flow);
  if (match === undefined) return { verdict: "drop", row: null, rule: null, tally };
  return { verdict: match.rule.verdict, row: match.rule.row, rule: match.index, tally };
}

function tallyOf(scope: PreparedScope, direction: Direction, flow: Flow): Tally {
  switch (direction) {
    case "peer":
      return sharesSubnet(scope.subnets, flow) ? "c_same_subnet" : "c_cross_subnet";
    case "out":
      return "c_egress";
    case "in":
      return "c_ingress";
  }
}
