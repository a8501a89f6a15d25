/**
 * A gateway that stays while rulesets and packets change, for many packets of any kind in little time. Behind all its
 * interfaces lies one world that answers nothing: packets are put on the cable ready-made, from any source, and the
 * gateway's own leave by a raw socket. Each leaves by the interface that it names, by a mark that nothing else reads.
 * All packets of a batch are on their way at once; counters around our chains tell what became of each.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import {
  addAddress,
  inNamespace,
  runIpBatch,
  makeNamespaces,
  makeNamespaceName,
  newPrefix,
  removeNamespaces,
  setSwitches,
} from "#lab/net/netns.ts";
import { must } from "#lab/run/process.ts";
import { type Form, frameOf, numbersMax, opening, type Sendable, wireOf } from "./frames.ts";
import { isIncoming, isOutgoing, readCounters } from "./observer.ts";

export interface GroundPlan {
  readonly interfaces: readonly string[];
  /** The gateway's own addresses, one of each family. */
  readonly own: readonly string[];
}

export interface Shot {
  readonly packet: Sendable;
  readonly form: Form;
}

export interface Outcome {
  /** Whether each packet came out behind our chains, in the order given. */
  readonly passed: readonly boolean[];
  /** Our counters that are not zero, after all of them. */
  readonly counters: ReadonlyMap<string, number>;
}

export interface Ground {
  readonly gateway: string;
  /** Makes conntrack know what established packets answer. Must run while no rules of ours are loaded. */
  open(shots: readonly Shot[]): Promise<void>;
  /** @throws Error when a packet never reached the gateway, which is no verdict */
  send(shots: readonly Shot[]): Promise<Outcome>;
  destroy(): Promise<void>;
}

const Links = z.array(z.object({ ifname: z.string(), ifindex: z.int(), address: z.string() }));

export async function openGround(plan: GroundPlan): Promise<Ground> {
  const prefix = newPrefix();
  const [gateway, world] = [makeNamespaceName(prefix, "gw"), makeNamespaceName(prefix, "world")];
  const injectors: Injector[] = [];
  const destroy = async (): Promise<void> => {
    await Promise.all(injectors.map((injector) => injector.close()));
    await removeNamespaces([gateway, world]);
  };
  try {
    await makeNamespaces([gateway, world]);
    await connect(plan, gateway, world);
    const cables = await cablesOf(plan, gateway, world);
    const [outside, inside] = [openInjector(world), openInjector(gateway)];
    injectors.push(outside, inside);
    const lines = (shots: readonly Numbered[]) =>
      shots.flatMap((shot) => linesOf(plan, cables, shot));
    const deliver = async (shots: readonly Numbered[]): Promise<void> => {
      const all = lines(shots);
      await outside.send(all.filter(({ from }) => from === "world").map(({ line }) => line));
      await inside.send(all.filter(({ from }) => from === "gateway").map(({ line }) => line));
    };
    return {
      gateway,
      open: (shots) => openFlows(gateway, plan, deliver, shots),
      send: (shots) => sendBatch(gateway, plan, deliver, shots),
      destroy,
    };
  } catch (error) {
    await destroy();
    throw error;
  }
}

const far = (i: number) => ({ v4: `169.254.${i + 1}.2`, v6: "fe80::2" }) as const;
const table = (i: number): number => 100 + i;
/** Of what leaves by an interface; 0 is nobody's. */
const markOf = ({ interfaces }: GroundPlan, device: string): number =>
  interfaces.indexOf(device) + 1;

async function connect(
  { interfaces, own }: GroundPlan,
  gateway: string,
  world: string,
): Promise<void> {
  await setSwitches(world, 1, ["ipv6/conf/all/disable_ipv6", "ipv6/conf/default/disable_ipv6"]);
  const both = (name: string): readonly string[] => [`conf/all/${name}`, `conf/default/${name}`];
  await setSwitches(gateway, 1, [
    "ipv4/ip_forward",
    "ipv4/conf/all/accept_local",
    ...both("forwarding").map((name) => `ipv6/${name}`),
  ]);
  await setSwitches(gateway, 0, [
    ...[...both("rp_filter"), ...both("send_redirects")].map((name) => `ipv4/${name}`),
    ...both("accept_dad").map((name) => `ipv6/${name}`),
  ]);
  await runIpBatch(
    null,
    interfaces.map(
      (name, i) => `link add ${name} netns ${gateway} type veth peer name w${i} netns ${world}`,
    ),
  );
  await runIpBatch(
    world,
    interfaces.map((_, i) => `link set w${i} up`),
  );
  await runIpBatch(gateway, [
    ...own.map((address) => addAddress(`${address}/${address.includes(":") ? 128 : 32}`, "lo")),
    ...interfaces.flatMap((name, i) => [
      addAddress(`169.254.${i + 1}.1/24`, name),
      addAddress("fe80::1/64", name),
      `link set ${name} up`,
    ]),
  ]);
  // Nobody answers there: the way out is known without asking.
  const neighbour = (name: string, address: string): string =>
    `neigh replace ${address} lladdr 02:00:00:00:00:01 dev ${name} nud permanent`;
  const ways = (family: "v4" | "v6"): readonly string[] =>
    interfaces.flatMap((name, i) => [
      neighbour(name, far(i)[family]),
      `route add default via ${far(i)[family]} dev ${name} table ${table(i)}`,
      `rule add pref 100 fwmark ${i + 1} lookup ${table(i)}`,
    ]);
  await runIpBatch(gateway, ways("v4"), "v4");
  await runIpBatch(gateway, ways("v6"), "v6");
}

/** How a frame gets to the gateway by one of its interfaces. */
interface Cable {
  /** Index of the world's end. */
  readonly index: number;
  /** Hardware address of the gateway's end. */
  readonly to: string;
}

async function cablesOf(
  { interfaces }: GroundPlan,
  gateway: string,
  world: string,
): Promise<ReadonlyMap<string, Cable>> {
  const links = async (namespace: string) =>
    Links.parse(JSON.parse(await must(["ip", "-j", "-n", namespace, "link", "show"])));
  const [near, ends] = [await links(gateway), await links(world)];
  return new Map(
    interfaces.map((name, i) => {
      const index = ends.find(({ ifname }) => ifname === `w${i}`)?.ifindex;
      const to = near.find(({ ifname }) => ifname === name)?.address;
      if (index === undefined || to === undefined) throw new Error(`no cable to ${name}`);
      return [name, { index, to }];
    }),
  );
}

interface Numbered extends Shot {
  readonly id: number;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

function linesOf(
  plan: GroundPlan,
  cables: ReadonlyMap<string, Cable>,
  { packet, form, id }: Numbered,
): readonly { readonly from: "world" | "gateway"; readonly line: string }[] {
  return wireOf(packet, id, form).map((bytes) => {
    if (packet.hook === "output") {
      const kind = packet.source.includes(":") ? "v6" : "v4";
      const line = `${kind} ${markOf(plan, packet.oif)} ${packet.destination} ${hex(bytes)}`;
      return { from: "gateway", line };
    }
    const cable = cables.get(packet.iif);
    if (cable === undefined) throw new RangeError(`no cable to ${packet.iif}`);
    return { from: "world", line: `frame ${cable.index} ${hex(frameOf(bytes, cable.to))}` };
  });
}

const numbered = (shots: readonly Shot[]): readonly Numbered[] =>
  shots.map((shot, i) => ({ ...shot, id: i + 1 }));

async function openFlows(
  gateway: string,
  plan: GroundPlan,
  deliver: (shots: readonly Numbered[]) => Promise<void>,
  shots: readonly Shot[],
): Promise<void> {
  await must(inNamespace(gateway, "conntrack", "-F"));
  const openings = numbered(shots)
    .filter(({ packet }) => packet.state === "established")
    .map(({ packet, id }): Numbered => ({
      packet: opening(packet),
      form: "plain",
      id: id + numbersMax,
    }));
  if (openings.length === 0) return;
  await must(inNamespace(gateway, "nft", "-f", "-"), { input: observer(plan, openings, true) });
  await deliver(openings);
  await settled(gateway, openings, "b");
}

async function sendBatch(
  gateway: string,
  plan: GroundPlan,
  deliver: (shots: readonly Numbered[]) => Promise<void>,
  shots: readonly Shot[],
): Promise<Outcome> {
  if (shots.length > numbersMax) throw new RangeError(`expected at most ${numbersMax} packets`);
  const all = numbered(shots);
  await must(inNamespace(gateway, "nft", "-f", "-"), { input: observer(plan, all, false) });
  await deliver(all);
  await settled(gateway, all, "a");
  const { ours, observed } = await readCounters(gateway);
  return { passed: all.map(({ id }) => observed.has(`b_${id}`)), counters: ours };
}

/** Looks until every packet was seen; the kernel judges one in one go, so the next look sees its verdict. */
async function settled(
  gateway: string,
  shots: readonly Numbered[],
  place: "a" | "b",
): Promise<void> {
  const missing = async (): Promise<readonly Numbered[]> => {
    const { observed } = await readCounters(gateway);
    return shots.filter(({ id }) => !observed.has(`${place}_${id}`));
  };
  for (let look = 0; look < 200; look += 1) if ((await missing()).length === 0) return;
  const [first, ...rest] = await missing();
  if (first !== undefined)
    throw new Error(
      `${rest.length + 1} packets never reached the gateway, such as ${JSON.stringify(first)}`,
    );
}

/**
 * Counts each packet as it comes, `a_<number>`, and as it leaves behind every chain of ours, `b_<number>`, and sends it
 * the way that it names; loads over itself. @param alone keeps the gateway from answering
 */
function observer(plan: GroundPlan, shots: readonly Numbered[], alone: boolean): string {
  const is = ({ packet, id }: Numbered): string =>
    packet.source.includes(":") ? `ip6 flowlabel ${id}` : `ip id ${id}`;
  // What the kernel answers by itself has no mark, whatever number it happens to bear.
  const marked = (shot: Numbered): string =>
    isOutgoing(shot.packet) ? `meta mark ${markOf(plan, shot.packet.oif)} ` : "";
  const counted = (shot: Numbered, name: "a" | "b"): string =>
    `${is(shot)} counter name "${name}_${shot.id}"`;
  const [coming, going] = [
    shots.filter(({ packet }) => isIncoming(packet)),
    shots.filter(({ packet }) => isOutgoing(packet)),
  ];
  const marking = going.flatMap((shot) =>
    shot.packet.hook === "forward"
      ? [`\t\t${is(shot)} meta mark set ${markOf(plan, shot.packet.oif)}`]
      : [],
  );
  const silence = ["tcp flags & rst == rst", "icmp type { 0, 3 }", "icmpv6 type { 1, 4, 129 }"].map(
    (match) => `\t\tmeta mark 0 ${match} drop`,
  );
  const chain = (hook: string, priority: number, lines: readonly string[]): readonly string[] => [
    `\tchain on_${hook}${priority < 0 ? "_first" : ""} {`,
    `\t\ttype filter hook ${hook} priority ${priority}; policy accept;`,
    ...lines,
    "\t}",
  ];
  const entering = shots.filter(({ packet }) => packet.hook === "input");
  const leaving = shots.filter(({ packet }) => packet.hook === "output");
  return [
    "add table inet observer",
    "delete table inet observer",
    "table inet observer {",
    ...shots.flatMap(({ id }) => [`\tcounter a_${id} {\n\t}`, `\tcounter b_${id} {\n\t}`]),
    ...chain("prerouting", -300, [
      ...coming.map((shot) => `\t\t${counted(shot, "a")}`),
      ...marking,
    ]),
    ...chain("output", -300, [
      ...leaving.map((shot) => `\t\t${marked(shot)}${counted(shot, "a")}`),
      ...(alone ? silence : []),
    ]),
    ...chain(
      "input",
      300,
      entering.map((shot) => `\t\t${counted(shot, "b")}`),
    ),
    // The kernel tracks connections while a rule asks for them.
    ...chain("postrouting", 300, [
      "\t\tct state new",
      ...going.map((shot) => `\t\t${marked(shot)}${counted(shot, "b")}`),
    ]),
    "}",
    "",
  ].join("\n");
}

interface Injector {
  /** Resolves when all has gone. */
  send(lines: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

function openInjector(namespace: string): Injector {
  const program = fileURLToPath(new URL("./inject.pl", import.meta.url));
  const [command = "", ...args] = inNamespace(namespace, "perl", program);
  const child: ChildProcess = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  const answers: Interface | undefined =
    child.stdout === null ? undefined : createInterface({ input: child.stdout });
  const ended = once(child, "exit");
  return {
    send: async (lines) => {
      if (lines.length === 0 || answers === undefined) return;
      const gone = once(answers, "line");
      child.stdin?.write(`${lines.join("\n")}\ndone\n`);
      const outcome = await Promise.race([gone, ended.then(() => undefined)]);
      if (outcome === undefined) throw new Error(`the injector in ${namespace} ended`);
    },
    close: async () => {
      child.stdin?.end();
      await ended;
    },
  };
}
