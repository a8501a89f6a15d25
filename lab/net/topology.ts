/**
 * A gateway and the machines around it. Each machine stands behind one of the gateway's interfaces, and everything
 * between two machines goes through the gateway, even when both are behind the same interface: that is how a VPN's
 * traffic hairpins through one tunnel device.
 *
 *     machine eth0 ── hub0 ── tun0 gateway eth0 ── hub1 ── eth0 machine
 *
 * A hub stands behind each interface: what comes from a machine goes to the gateway whatever its destination, what
 * comes from the gateway goes to the machine that has the address.
 */
import {
  addAddress,
  runIpBatch,
  makeNamespaces,
  makeNamespaceName,
  removeNamespaces,
  setSwitches,
} from "./netns.ts";

export interface Machine {
  /** 1–12 lower-case letters and digits, unique. */
  readonly name: string;
  /** The gateway's interface that it is behind. */
  readonly behind: string;
  /** IPv4 and IPv6, without prefix length. Two machines may share one if they are behind different interfaces. */
  readonly addresses: readonly string[];
}

export interface TopologyPlan {
  readonly prefix: string;
  readonly gateway: {
    readonly interfaces: readonly string[];
    readonly addresses: readonly string[];
  };
  readonly machines: readonly Machine[];
}

export interface Topology {
  /** Namespaces by role. */
  readonly gateway: string;
  /** The hub behind one of the gateway's interfaces. */
  hub(device: string): string;
  machine(name: string): string;
  /** From now on the gateway sends what is for this address out of that interface. */
  routeVia(address: string, device: string): Promise<void>;
  destroy(): Promise<void>;
}

const gatewayName = "gw";
const hubName = (i: number): string => `hub${i}`;

/** Every namespace that `buildTopology` makes, so that they can be written down before. */
export const namespacesOf = (plan: TopologyPlan): readonly string[] =>
  [
    gatewayName,
    ...plan.gateway.interfaces.map((_, i) => hubName(i)),
    ...plan.machines.map((machine) => machine.name),
  ].map((label) => makeNamespaceName(plan.prefix, label));

/** Makes it all, or nothing: a failure removes what was made. */
export async function buildTopology(plan: TopologyPlan): Promise<Topology> {
  const names = namespacesOf(plan);
  const name = (label: string): string => makeNamespaceName(plan.prefix, label);
  try {
    await makeNamespaces(names);
    await connect(plan, name);
  } catch (error) {
    await removeNamespaces(names);
    throw error;
  }
  return {
    gateway: name(gatewayName),
    hub: (device) => name(hubName(indexOf(plan, device))),
    machine: name,
    routeVia: (address, device) =>
      runIpBatch(name(gatewayName), [formatRoute(plan, address, device)]),
    destroy: () => removeNamespaces(names),
  };
}

async function connect(plan: TopologyPlan, name: (label: string) => string): Promise<void> {
  const hubs = plan.gateway.interfaces.map((_, i) => name(hubName(i)));
  await makeRouters([name(gatewayName), ...hubs]);
  await runIpBatch(null, listCables(plan, name));
  await Promise.all([
    runIpBatch(name(gatewayName), listGatewayCommands(plan)),
    ...plan.machines.map((machine) => runIpBatch(name(machine.name), listMachineCommands(machine))),
    ...hubs.flatMap((hub, i) => [
      runIpBatch(hub, listHubCommands(plan, i)),
      runIpBatch(hub, hubRules(plan, i), "v4"),
      runIpBatch(hub, hubRules(plan, i), "v6"),
    ]),
  ]);
}

/** Before devices exist, so that each is born with `default`. No redirects: they would teach machines a short cut. */
async function makeRouters(namespaces: readonly string[]): Promise<void> {
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

/** Device names in a hub: towards the gateway, and towards the i-th machine of the plan. */
const toGateway = "gw0";
const toMachine = (i: number): string => `m${i}`;

function listCables(plan: TopologyPlan, name: (label: string) => string): readonly string[] {
  const cable = (end: string, device: string, hub: number, hubEnd: string): string =>
    `link add ${hubEnd} netns ${name(hubName(hub))} type veth peer name ${device} netns ${name(end)}`;
  return [
    ...plan.gateway.interfaces.map((device, i) => cable(gatewayName, device, i, toGateway)),
    ...plan.machines.map((machine, i) =>
      cable(machine.name, "eth0", indexOf(plan, machine.behind), toMachine(i)),
    ),
  ];
}

// Link-local on every link: the gateway is .1 and fe80::1, the hub .2 and fe80::2; machines see a hub as 169.254.0.2.
const gatewayLink = (i: number): string => `169.254.${i + 1}.1`;
const hubLink = (i: number): string => `169.254.${i + 1}.2`;
const hubForMachines = "169.254.0.2";

const isV6 = (address: string): boolean => address.includes(":");
const host = (address: string): string => `${address}/${isV6(address) ? 128 : 32}`;

function indexOf(plan: TopologyPlan, device: string): number {
  const index = plan.gateway.interfaces.indexOf(device);
  if (index < 0) throw new RangeError(`the gateway has no interface ${device}`);
  return index;
}

function formatRoute(plan: TopologyPlan, address: string, device: string): string {
  const via = isV6(address) ? "fe80::2" : hubLink(indexOf(plan, device));
  return `route replace ${host(address)} via ${via} dev ${device}`;
}

function listGatewayCommands(plan: TopologyPlan): readonly string[] {
  const { interfaces, addresses } = plan.gateway;
  return [
    ...addresses.map((address) => addAddress(host(address), "lo")),
    ...interfaces.flatMap((device, i) => [
      `address add ${gatewayLink(i)}/30 dev ${device}`,
      addAddress("fe80::1/64", device),
      `link set ${device} up`,
    ]),
    ...plan.machines.flatMap((machine) =>
      machine.addresses.map((address) => formatRoute(plan, address, machine.behind)),
    ),
  ];
}

const towardsGateway = 100;

/** What comes from a machine goes to the gateway, even to a machine that the hub itself could reach. */
const hubRules = (plan: TopologyPlan, hub: number): readonly string[] =>
  machinesOf(plan, hub).map(({ device }) => `rule add iif ${device} lookup ${towardsGateway}`);

function listHubCommands(plan: TopologyPlan, hub: number): readonly string[] {
  return [
    `address add ${hubLink(hub)}/30 dev ${toGateway}`,
    addAddress("fe80::2/64", toGateway),
    `link set ${toGateway} up`,
    `route add default via ${gatewayLink(hub)} dev ${toGateway} table ${towardsGateway}`,
    `route add default via fe80::1 dev ${toGateway} table ${towardsGateway}`,
    ...machinesOf(plan, hub).flatMap(({ machine, device }) => [
      `address add ${hubForMachines}/32 dev ${device}`,
      addAddress("fe80::2/64", device),
      `link set ${device} up`,
      ...machine.addresses.map((address) => `route add ${host(address)} dev ${device}`),
    ]),
  ];
}

const machinesOf = (plan: TopologyPlan, hub: number) =>
  plan.machines.flatMap((machine, i) =>
    indexOf(plan, machine.behind) === hub ? [{ machine, device: toMachine(i) }] : [],
  );

function listMachineCommands(machine: Machine): readonly string[] {
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
