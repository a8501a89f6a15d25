/**
 * A gateway and the machines around it. Each machine stands behind one of the gateway's interfaces, and everything
 * between two machines goes through the gateway, even when both are behind the same interface: that is how a VPN's
 * traffic hairpins through one tunnel device.
 *
 *     machine eth0 ── hub ── tun0 gateway eth0 ── hub ── eth0 machine
 *
 * The hub is one namespace with a routing table for each gateway interface; what comes from a machine goes to the
 * gateway whatever its destination, what comes from the gateway goes to the machine that has the address.
 */
import {
  addAddress,
  ipBatch,
  makeNamespaces,
  namespaceName,
  removeNamespaces,
  setSwitches,
} from "./netns.ts";

export interface Machine {
  /** 1–12 lower-case letters and digits, unique. */
  readonly name: string;
  /** The gateway's interface that it is behind. */
  readonly behind: string;
  /** IPv4 and IPv6, without prefix length; no two machines share one. */
  readonly addresses: readonly string[];
}

export interface TopologyPlan {
  readonly prefix: string;
  readonly gateway: { readonly interfaces: readonly string[]; readonly addresses: readonly string[] };
  readonly machines: readonly Machine[];
}

export interface Topology {
  /** Namespaces by role. */
  readonly gateway: string;
  machine(name: string): string;
  destroy(): Promise<void>;
}

const gatewayName = "gw";
const hubName = "hub";

/** Every namespace that `buildTopology` makes, so that they can be written down before. */
export const namespacesOf = (plan: TopologyPlan): readonly string[] =>
  [gatewayName, hubName, ...plan.machines.map((machine) => machine.name)].map((label) =>
    namespaceName(plan.prefix, label),
  );

/** Makes it all, or nothing: a failure removes what was made. */
export async function buildTopology(plan: TopologyPlan): Promise<Topology> {
  const names = namespacesOf(plan);
  const name = (label: string): string => namespaceName(plan.prefix, label);
  try {
    await makeNamespaces(names);
    await beRouters([name(gatewayName), name(hubName)]);
    await ipBatch(null, cables(plan, name));
    await Promise.all([
      ipBatch(name(gatewayName), gatewayCommands(plan)),
      ipBatch(name(hubName), hubCommands(plan)),
      ipBatch(name(hubName), hubRules(plan), "v4"),
      ipBatch(name(hubName), hubRules(plan), "v6"),
      ...plan.machines.map((machine) => ipBatch(name(machine.name), machineCommands(machine))),
    ]);
  } catch (error) {
    await removeNamespaces(names);
    throw error;
  }
  return {
    gateway: name(gatewayName),
    machine: (label) => name(label),
    destroy: () => removeNamespaces(names),
  };
}

/** Before devices exist, so that each is born with `default`. No redirects: they would teach machines a short cut. */
async function beRouters(namespaces: readonly string[]): Promise<void> {
  await Promise.all(
    namespaces.flatMap((namespace) => [
      setSwitches(namespace, 1, ["ipv4/ip_forward", "ipv6/conf/all/forwarding"]),
      setSwitches(namespace, 0, [
        "ipv4/conf/all/send_redirects",
        "ipv4/conf/default/send_redirects",
        "ipv4/conf/all/rp_filter",
        "ipv4/conf/default/rp_filter",
      ]),
    ]),
  );
}

/** Device names in the hub: towards the gateway's i-th interface, and towards the i-th machine. */
const toGateway = (i: number): string => `g${i}`;
const toMachine = (i: number): string => `m${i}`;

function cables(plan: TopologyPlan, name: (label: string) => string): readonly string[] {
  const cable = (end: string, device: string, hubEnd: string): string =>
    `link add ${hubEnd} netns ${name(hubName)} type veth peer name ${device} netns ${name(end)}`;
  return [
    ...plan.gateway.interfaces.map((device, i) => cable(gatewayName, device, toGateway(i))),
    ...plan.machines.map((machine, i) => cable(machine.name, "eth0", toMachine(i))),
  ];
}

// Link-local on every link: the gateway is .1 and fe80::1, the hub .2 and fe80::2; machines see the hub as 169.254.0.2.
const gatewayLink = (i: number): string => `169.254.${i + 1}.1`;
const hubLink = (i: number): string => `169.254.${i + 1}.2`;
const hubForMachines = "169.254.0.2";

const isV6 = (address: string): boolean => address.includes(":");
const host = (address: string): string => `${address}/${isV6(address) ? 128 : 32}`;

function gatewayCommands(plan: TopologyPlan): readonly string[] {
  const { interfaces, addresses } = plan.gateway;
  return [
    ...addresses.map((address) => addAddress(host(address), "lo")),
    ...interfaces.flatMap((device, i) => [
      `address add ${gatewayLink(i)}/30 dev ${device}`,
      addAddress("fe80::1/64", device),
      `link set ${device} up`,
    ]),
    ...plan.machines.flatMap((machine) =>
      machine.addresses.map((address) => {
        const via = isV6(address) ? "fe80::2" : hubLink(indexOf(plan, machine));
        return `route add ${host(address)} via ${via} dev ${machine.behind}`;
      }),
    ),
  ];
}

function indexOf(plan: TopologyPlan, machine: Machine): number {
  const index = plan.gateway.interfaces.indexOf(machine.behind);
  if (index < 0) throw new RangeError(`${machine.name} is behind ${machine.behind}, which the gateway lacks`);
  return index;
}

const table = (i: number): number => 100 + i;

/** What comes from a machine goes to the gateway, even to a machine that the hub itself could reach. */
const hubRules = (plan: TopologyPlan): readonly string[] =>
  plan.machines.map((machine, i) => `rule add iif ${toMachine(i)} lookup ${table(indexOf(plan, machine))}`);

function hubCommands(plan: TopologyPlan): readonly string[] {
  return [
    ...plan.gateway.interfaces.flatMap((_, i) => [
      `address add ${hubLink(i)}/30 dev ${toGateway(i)}`,
      addAddress("fe80::2/64", toGateway(i)),
      `link set ${toGateway(i)} up`,
      `route add default via ${gatewayLink(i)} dev ${toGateway(i)} table ${table(i)}`,
      `route add default via fe80::1 dev ${toGateway(i)} table ${table(i)}`,
    ]),
    ...plan.machines.flatMap((machine, i) => [
      `address add ${hubForMachines}/32 dev ${toMachine(i)}`,
      addAddress("fe80::2/64", toMachine(i)),
      `link set ${toMachine(i)} up`,
      ...machine.addresses.map((address) => `route add ${host(address)} dev ${toMachine(i)}`),
    ]),
  ];
}

function machineCommands(machine: Machine): readonly string[] {
  const v4 = machine.addresses.find((address) => !isV6(address));
  const v6 = machine.addresses.find(isV6);
  return [
    ...machine.addresses.map((address) => addAddress(host(address), "eth0")),
    addAddress("fe80::3/64", "eth0"),
    "link set eth0 up",
    `route add ${hubForMachines}/32 dev eth0`,
    ...(v4 === undefined ? [] : [`route add default via ${hubForMachines} dev eth0 src ${v4}`]),
    ...(v6 === undefined ? [] : [`route add default via fe80::2 dev eth0 src ${v6}`]),
  ];
}
