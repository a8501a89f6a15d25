/**
 * The lab's machines: a VPN gateway, its clients behind one tunnel interface, a machine elsewhere, and a management
 * namespace that only the gateway can reach. Addresses are documentation ranges; they exist in our namespaces alone.
 */
import { joinByCable, makeNamespaces, namespaceName } from "./netns.ts";
import type { Place } from "./probe.ts";
import type { LabState } from "./state.ts";
import { buildTopology, namespacesOf, type TopologyPlan } from "./topology.ts";

export interface Network {
  readonly gateway: string;
  readonly management: string;
  readonly managementInterface: string;
  readonly tunnelInterface: string;
  readonly elsewhereInterface: string;
  readonly clients: readonly Place[];
  readonly elsewhere: Place;
  /** What the namespaces' names say after the prefix. */
  readonly labels: readonly string[];
}

/** Where the management namespace offers the control plane. */
export const managementAddress = "192.0.2.1";
const gatewayManagementAddress = "192.0.2.2";

const tunnelInterface = "tun0";
const elsewhereInterface = "wan0";
const managementInterface = "mgmt0";

const clients = {
  alice: { v4: "10.8.0.11", v6: "fd00:8::11" },
  bob: { v4: "10.8.0.12", v6: "fd00:8::12" },
  carol: { v4: "10.8.0.13", v6: "fd00:8::13" },
} as const;
const elsewhere = { v4: "198.51.100.7", v6: "2001:db8:51::7" } as const;

/** Makes the namespaces, written down in the ledger first; the ledger's sweep removes them. */
export async function openNetwork(state: LabState): Promise<Network> {
  const machine = (name: string, behind: string, { v4, v6 }: Place["address"]) => ({
    name,
    behind,
    addresses: [v4, v6],
  });
  const plan: TopologyPlan = {
    prefix: state.prefix,
    gateway: { interfaces: [tunnelInterface, elsewhereInterface], addresses: ["10.8.0.1", "fd00:8::1"] },
    machines: [
      ...Object.entries(clients).map(([name, address]) => machine(name, tunnelInterface, address)),
      machine("elsewhere", elsewhereInterface, elsewhere),
    ],
  };
  const management = namespaceName(state.prefix, "mgmt");
  const namespaces = [...namespacesOf(plan), management];
  state.willMake(namespaces);
  const topology = await buildTopology(plan);
  await makeNamespaces([management]);
  await joinByCable(
    { namespace: management, device: "eth0", addresses: [`${managementAddress}/24`] },
    {
      namespace: topology.gateway,
      device: managementInterface,
      addresses: [`${gatewayManagementAddress}/24`],
    },
  );
  const place = (name: string, address: Place["address"]): Place => ({
    name,
    namespace: topology.machine(name),
    address,
  });
  return {
    gateway: topology.gateway,
    management,
    managementInterface,
    tunnelInterface,
    elsewhereInterface,
    labels: namespaces.map((name) => name.slice(state.prefix.length + 1)),
    clients: Object.entries(clients).map(([name, address]) => place(name, address)),
    elsewhere: place("elsewhere", elsewhere),
  };
}
