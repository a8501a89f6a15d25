/**
 * What a ruleset means, packet by packet: the reference that previews, tests and audit answers call, and that rendered
 * rules are held against in the kernel. The semantics are those of schema/ruleset.ts and schema/always.ts.
 *
 * Pure. Where a ruleset leaves a packet undecided, which its type forbids, the verdict is drop; so it is for what
 * comes in where it has no scope `host`.
 */
import { requireNetwork } from "#schema/address.ts";
import type { Direction, Ruleset, Scope, Tally } from "#schema/ruleset.ts";
import { listRuledDirections, listOwnDevices, scopeId, spoofedTally } from "#schema/ruleset.ts";
import { findFirstMatch, type Ground, type Lookup, lookupOf, sharesSubnet } from "./match.ts";
import type { Flow, Packet, PacketGuard, PacketVerdict } from "./packet.ts";
import { flowOf } from "./packet.ts";
import { findAlwaysVerdict } from "./prelude.ts";
import { isSpoofedByGuest, makeSpoofCheck } from "./spoofed.ts";

export type { Hook, PacketVerdict, PacketGuard, Packet, PacketState, Payload } from "./packet.ts";

const noGuard: PacketGuard = { management: { interfaces: [], allow: [] } };
/** What is judged of the host's own traffic where no scope is about it. */
const withoutScope: readonly Direction[] = ["in"];
const leftAlone: PacketVerdict = { verdict: "accept", row: null, rule: null, tally: null };
const dropped: PacketVerdict = { ...leftAlone, verdict: "drop" };
const spoofed: PacketVerdict = { ...dropped, tally: spoofedTally };

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
  const devices = mapByDevice(ruleset);
  const pairs = preparePairs(ruleset);
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
    return decide(lookup, hostGround, direction, flow);
  };

  return (packet) => {
    const flow = flowOf(packet);
    switch (packet.hook) {
      case "input": {
        const sent = leave(lookup, onlyGuest(devices.get(packet.iif)), flow);
        return sent.verdict === "accept" ? evaluateHost("in", flow) : sent;
      }
      case "output": {
        const sent = evaluateHost("out", flow);
        const guest = onlyGuest(devices.get(packet.oif));
        return sent.verdict === "accept" && guest !== undefined ? enter(lookup, guest, flow) : sent;
      }
      case "bridge":
        return evaluateForward(
          lookup,
          {
            from: onlyGuest(devices.get(packet.iif)),
            pairs: [],
            to: onlyGuest(devices.get(packet.oif)),
          },
          flow,
        );
      case "forward": {
        const [from, to] = [devices.get(packet.iif), devices.get(packet.oif)];
        const touches = [from, to].some((each) => each?.scope.kind === "overlay");
        if (touches && isSpoofed(packet.iif, flow.source)) return spoofed;
        const between = pairs.filter(
          ({ scope }) =>
            scope.interfaces.from.includes(packet.iif) && scope.interfaces.to.includes(packet.oif),
        );
        return evaluateForward(lookup, { from, pairs: between, to }, flow);
      }
    }
  };
}

interface Prepared<S extends Scope = Scope> extends Ground {
  readonly scope: S;
}
type DeviceScope = Extract<Scope, { readonly kind: "overlay" | "vnic" | "network" }>;
type Pair = Extract<Scope, { readonly kind: "zone-pair" }>;

const hostGround: Ground = { id: "host", subnets: [], own: new Set() };

/** A device is of one scope at most. */
function mapByDevice({ scopes }: Ruleset): ReadonlyMap<string, Prepared<DeviceScope>> {
  return new Map(
    scopes.flatMap((scope) => {
      if (scope.kind === "host" || scope.kind === "zone-pair") return [];
      const prepared = {
        id: scopeId(scope),
        scope,
        subnets: scope.kind === "vnic" ? [] : scope.subnets.map(requireNetwork),
        own: new Set(scope.kind === "vnic" ? scope.addresses : []),
      };
      return listOwnDevices(scope).map((name) => [name, prepared] as const);
    }),
  );
}

const preparePairs = ({ scopes }: Ruleset): readonly Prepared<Pair>[] =>
  scopes.flatMap((scope) =>
    scope.kind === "zone-pair" ? [{ ...hostGround, id: scopeId(scope), scope }] : [],
  );

/** A vNIC is judged wherever its packets come by; an overlay and a network of containers only on the way through. */
const onlyGuest = (found: Prepared<DeviceScope> | undefined): Prepared<DeviceScope> | undefined =>
  found?.scope.kind === "vnic" ? found : undefined;

interface Way {
  readonly from: Prepared<DeviceScope> | undefined;
  readonly pairs: readonly Prepared<Pair>[];
  readonly to: Prepared<DeviceScope> | undefined;
}

/** What a packet leaves is asked first, and each after that only if those before accept. */
function evaluateForward(lookup: Lookup, { from, pairs, to }: Way, flow: Flow): PacketVerdict {
  if (from !== undefined && from === to && from.scope.kind !== "vnic")
    return decideWithin(lookup, from, flow);
  const steps = [
    () => leave(lookup, from, flow),
    ...pairs.map((pair) => () => decide(lookup, pair, "peer", flow)),
    ...(to === undefined ? [] : [() => enter(lookup, to, flow)]),
  ];
  let last = leftAlone;
  for (const step of steps) {
    last = step();
    if (last.verdict !== "accept") return last;
  }
  return last;
}

/** Within one overlay rules decide, within one network its `inside`. */
function decideWithin(lookup: Lookup, within: Prepared<DeviceScope>, flow: Flow): PacketVerdict {
  if (within.scope.kind !== "network") return decide(lookup, within, "peer", flow);
  switch (within.scope.inside) {
    case "open":
      return leftAlone;
    case "isolated":
      return dropped;
  }
}

function leave(lookup: Lookup, from: Prepared<DeviceScope> | undefined, flow: Flow): PacketVerdict {
  if (from === undefined) return leftAlone;
  const { scope } = from;
  if (scope.kind === "network" && scope.egress === "none") return dropped;
  if (scope.kind === "vnic") {
    if (scope.mode === "passthrough") return leftAlone;
    if (isSpoofedByGuest(scope, flow)) return spoofed;
  }
  return decide(lookup, from, "out", flow);
}

const enter = (lookup: Lookup, to: Prepared<DeviceScope>, flow: Flow): PacketVerdict =>
  to.scope.kind === "vnic" && to.scope.mode === "passthrough"
    ? leftAlone
    : decide(lookup, to, "in", flow);

function decide(
  lookup: Lookup,
  ground: Ground & { readonly scope?: Scope },
  direction: Direction,
  flow: Flow,
): PacketVerdict {
  const tally = ground.scope?.kind === "overlay" ? tallyOf(ground, direction, flow) : null;
  const match = findFirstMatch(lookup, ground, direction, flow);
  if (match === undefined) return { ...dropped, tally };
  return { verdict: match.rule.verdict, row: match.rule.row, rule: match.index, tally };
}

function tallyOf({ subnets }: Ground, direction: Direction, flow: Flow): Tally {
  switch (direction) {
    case "peer":
      return sharesSubnet(subnets, flow) ? "c_same_subnet" : "c_cross_subnet";
    case "out":
      return "c_egress";
    case "in":
      return "c_ingress";
  }
}
