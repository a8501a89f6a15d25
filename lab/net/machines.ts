/**
 * The machines of the lab and where they stand. The addresses are those of `lab/examples`, written twice on purpose: a
 * lab that read them from the catalog could not find an address that the catalog gets wrong.
 */
import type { Place } from "./probe.ts";

/** The gateway's interfaces: its VPN clients, its own network, and the way to everybody else. */
export const sides = ["tun0", "lan0", "wan0"] as const;
export type Side = (typeof sides)[number];

export interface FleetMachine {
  readonly name: string;
  readonly address: Place["address"];
  /** The gateway's interface that it is behind; the gateway itself is behind none. */
  readonly behind: Side | null;
  /** Address in the management network of a machine with an agent; null for one without. */
  readonly management: string | null;
}

/** The gateway is the router of its network, so it answers there too; clients know it by the address below as well. */
export const gatewayName = "gw";
export const gatewayTunnelAddress = { v4: "10.8.0.1", v6: "fd00:8::1" } as const;

const machine = (
  name: string,
  behind: Side | null,
  management: string | null,
  v4: string,
  v6: string,
): FleetMachine => ({ name, behind, management, address: { v4, v6 } });

export const fleetMachines: readonly FleetMachine[] = [
  machine(gatewayName, null, "192.0.2.2", "10.20.0.1", "fd00:20::1"),
  machine("proxy1", "lan0", "192.0.2.3", "10.20.0.10", "fd00:20::10"),
  machine("photos1", "lan0", "192.0.2.4", "10.20.0.20", "fd00:20::20"),
  machine("laptop1", "lan0", "192.0.2.5", "10.20.0.30", "fd00:20::30"),
  machine("vault1", "wan0", "192.0.2.6", "203.0.113.9", "2001:db8:60::9"),
  machine("alice", "tun0", null, "10.8.0.11", "fd00:8::11"),
  machine("bob", "tun0", null, "10.8.0.12", "fd00:8::12"),
  machine("carol", "tun0", null, "10.8.0.13", "fd00:8::13"),
  machine("stranger", "wan0", null, "198.51.100.7", "2001:db8:51::7"),
];

/** Where the management namespace offers the control plane. */
export const managementAddress = "192.0.2.1";
export const managementInterface = "mgmt0";
