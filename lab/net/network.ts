/**
 * The lab's network: the gateway with everybody around it, and a management namespace with a cable to each machine that
 * has an agent. The cables do not meet: nothing is forwarded there, so the management network is no way around rules.
 */
import {
  fleetMachines,
  gatewayName,
  gatewayTunnelAddress,
  managementAddress,
  managementInterface,
  type Side,
  sides,
} from "./machines.ts";
import { runIpBatch, joinByCable, makeNamespaces, makeNamespaceName } from "./netns.ts";
import type { Place } from "./probe.ts";
import type { LabState } from "./state.ts";
import { buildTopology, namespacesOf, type TopologyPlan } from "./topology.ts";

/** A machine of the lab in its namespace. */
export interface Station extends Place {
  readonly behind: Side | null;
  /** Whether an agent belongs on it. */
  readonly managed: boolean;
}

export interface Network {
  readonly management: string;
  readonly stations: readonly Station[];
  /** @throws RangeError for a name that is not in the fleet */
  station(name: string): Station;
  /** What the namespaces' names say after the prefix. */
  readonly labels: readonly string[];
}

/** Makes the namespaces, written down in the ledger first; the ledger's sweep removes them. */
export async function openNetwork(state: LabState): Promise<Network> {
  const gateway = fleetMachines.find(({ behind }) => behind === null);
  const plan: TopologyPlan = {
    prefix: state.prefix,
    gateway: {
      interfaces: sides,
      addresses: [...Object.values(gateway?.address ?? {}), ...Object.values(gatewayTunnelAddress)],
    },
    machines: fleetMachines.flatMap(({ name, behind, address }) =>
      behind === null ? [] : [{ name, behind, addresses: [address.v4, address.v6] }],
    ),
  };
  const management = makeNamespaceName(state.prefix, "mgmt");
  const namespaces = [...namespacesOf(plan), management];
  state.willMake(namespaces);
  const topology = await buildTopology(plan);
  const stations = fleetMachines.map(({ name, behind, address, management: managed }): Station => {
    const namespace = name === gatewayName ? topology.gateway : topology.machine(name);
    return { name, namespace, address, behind, managed: managed !== null };
  });
  await makeNamespaces([management]);
  await runIpBatch(management, [`address add ${managementAddress}/32 dev lo`]);
  for (const { name, management: address } of fleetMachines) {
    const station = stations.find((found) => found.name === name);
    if (station !== undefined && address !== null) await connect(management, station, address);
  }
  return {
    management,
    stations,
    station: (name) => {
      const found = stations.find((station) => station.name === name);
      if (found === undefined) throw new RangeError(`the fleet has no ${name}`);
      return found;
    },
    labels: namespaces.map((name) => name.slice(state.prefix.length + 1)),
  };
}

/** A cable between one machine and the management namespace, with one address at each end. */
async function connect(
  management: string,
  { name, namespace }: Station,
  address: string,
): Promise<void> {
  await joinByCable(
    { namespace: management, device: name, addresses: [] },
    { namespace, device: managementInterface, addresses: [`${address}/32`] },
  );
  await Promise.all([
    runIpBatch(management, [`route add ${address}/32 dev ${name} src ${managementAddress}`]),
    runIpBatch(namespace, [
      `route add ${managementAddress}/32 dev ${managementInterface} src ${address}`,
    ]),
  ]);
}
