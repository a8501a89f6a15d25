/** Whether a packet's source may come by the interface it came by, as schema/ruleset.ts says of overlays. */
import { contains, requireNetwork, type Network } from "#schema/address.ts";
import { anyArrival, type Ruleset, type Scope } from "#schema/ruleset.ts";
import type { Flow } from "./packet.ts";

/** Says whether a source that came by an interface is spoofed. */
export function makeSpoofCheck(ruleset: Ruleset): (iif: string, source: Network) => boolean {
  const overlays = ruleset.scopes.flatMap((scope) =>
    scope.kind === "overlay"
      ? [{ interfaces: scope.interfaces, subnets: scope.subnets.map(requireNetwork) }]
      : [],
  );
  const exempt = anyArrival.map(requireNetwork);
  const lies = (subnets: readonly Network[], source: Network): boolean =>
    subnets.some((subnet) => contains(subnet, source));
  return (iif, source) => {
    if (overlays.length === 0 || lies(exempt, source)) return false;
    const own = overlays.find(({ interfaces }) => interfaces.includes(iif));
    return own === undefined
      ? overlays.some(({ subnets }) => lies(subnets, source))
      : !lies(own.subnets, source);
  };
}

/** Whether a guest sends as somebody else: by its MAC, and where its addresses are held too, by its source. */
export function isSpoofedByGuest(
  { mac, mode, addresses }: Extract<Scope, { readonly kind: "vnic" }>,
  { packet, source }: Flow,
): boolean {
  if (packet.mac !== undefined && packet.mac !== mac) return true;
  switch (mode) {
    case "passthrough":
    case "l2overlay":
      return false;
    case "securitygroup":
      return (
        !addresses.includes(packet.source) &&
        !anyArrival.some((network) => contains(requireNetwork(network), source))
      );
  }
}
