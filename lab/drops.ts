/**
 * Which packets were dropped on their way through a namespace, as its kernel saw it: a table beside everybody else's
 * notes each packet before the rules and each that is still there behind them, and never gives a verdict. What was seen
 * before and not behind was dropped in between. NAT in between would change what a packet is noted as; there is none here.
 */
import * as z from "zod";
import { inNamespace, ipBatch } from "./netns.ts";
import { must } from "./process.ts";

/** A packet as it is noted: `tcp 10.8.0.11 40000 10.20.0.1 53`, or `echo-request 10.8.0.11 10.20.0.1`. */
export type Flow = string;

/** What one namespace has noted. */
export interface Notes {
  readonly before: ReadonlySet<Flow>;
  readonly behind: ReadonlySet<Flow>;
}

export interface Drops {
  /** From here on nothing is noted yet. */
  forget(): Promise<void>;
  /** What every namespace has noted, in the order in which they were given. */
  read(): Promise<readonly Notes[]>;
  /**
   * Returns when every packet that was between *before* and *behind* at the call has been noted behind, or was dropped:
   * both happen within one RCU read-side section, and a device that goes waits for all of them (synchronize_net).
   */
  pass(): Promise<void>;
}

/** @param idle a namespace in which a device may come and go */
export function openDrops(namespaces: readonly string[], idle: string): Drops {
  const everywhere = <T>(work: (namespace: string) => Promise<T>): Promise<readonly T[]> =>
    Promise.all(namespaces.map(work));
  return {
    forget: async () => {
      await everywhere((namespace) => must(inNamespace(namespace, "nft", "-f", "-"), { input: notebook }));
    },
    read: () => everywhere(readNotes),
    pass: () => ipBatch(idle, ["link add pass0 type veth peer name pass1", "link delete pass0"]),
  };
}

const table = "lab_notes";
/** Behind conntrack, whose own drops are no rule's, and before all that filters. */
const first = -190;
const last = 400;

const families = [
  { name: "v4", nf: "ipv4", ip: "ip", icmp: "icmp" },
  { name: "v6", nf: "ipv6", ip: "ip6", icmp: "icmpv6" },
] as const;

/** Loads over itself, empty. */
const notebook = [
  `add table inet ${table}`,
  `delete table inet ${table}`,
  `table inet ${table} {`,
  ...["before", "behind"].flatMap((when) => families.flatMap((family) => sets(when, family))),
  ...chain("before", "prerouting", first),
  ...chain("before", "output", first),
  ...chain("behind", "input", last),
  ...chain("behind", "postrouting", last),
  "}",
  "",
].join("\n");

function sets(when: string, { name, ip, icmp }: (typeof families)[number]): readonly string[] {
  const set = (what: string, type: string): string =>
    `\tset ${when}_${what}_${name} { typeof ${ip} saddr . ${ip} daddr . ${type}; size 65535; flags dynamic; }`;
  return [set("port", "meta l4proto . th sport . th dport"), set("echo", `${icmp} type`)];
}

function chain(when: string, hook: string, priority: number): readonly string[] {
  return [
    `\tchain ${when}_${hook} {`,
    `\t\ttype filter hook ${hook} priority ${priority}; policy accept;`,
    ...families.flatMap(({ name, nf, ip, icmp }) => [
      `\t\tmeta nfproto ${nf} meta l4proto { tcp, udp } add @${when}_port_${name} ` +
        `{ ${ip} saddr . ${ip} daddr . meta l4proto . th sport . th dport }`,
      `\t\t${icmp} type { echo-request, echo-reply } add @${when}_echo_${name} ` +
        `{ ${ip} saddr . ${ip} daddr . ${icmp} type }`,
    ]),
    "\t}",
  ];
}

const Port = z.tuple([z.string(), z.string(), z.string(), z.int(), z.int()]);
const Echo = z.tuple([z.string(), z.string(), z.string()]);
const Listing = z.object({
  nftables: z.array(
    z.object({
      set: z
        .object({
          name: z.string(),
          elem: z.array(z.object({ concat: z.union([Port, Echo]) })).default([]),
        })
        .optional(),
    }),
  ),
});

async function readNotes(namespace: string): Promise<Notes> {
  const text = await must(inNamespace(namespace, "nft", "-j", "list", "table", "inet", table));
  const listed = Listing.parse(JSON.parse(text)).nftables.flatMap(({ set }) =>
    set === undefined ? [] : [set],
  );
  const noted = (when: string): ReadonlySet<Flow> =>
    new Set(
      listed
        .filter(({ name }) => name.startsWith(when))
        .flatMap(({ elem }) => elem.map(({ concat }) => flowOf(concat))),
    );
  return { before: noted("before"), behind: noted("behind") };
}

function flowOf(concat: z.infer<typeof Port> | z.infer<typeof Echo>): Flow {
  if (concat.length === 3) return echoFlow(concat[2], concat[0], concat[1]);
  const [source, destination, protocol, sourcePort, port] = concat;
  return portFlow(protocol, source, sourcePort, destination, port);
}

export const portFlow = (
  protocol: string,
  source: string,
  sourcePort: number,
  destination: string,
  port: number,
): Flow => `${protocol} ${source} ${sourcePort} ${destination} ${port}`;

/** @param type `echo-request` or `echo-reply` */
export const echoFlow = (type: string, source: string, destination: string): Flow =>
  `${type} ${source} ${destination}`;
