/**
 * Which packets were dropped on their way through a namespace, as its kernel saw it: a table beside everybody else's
 * notes each packet before the rules and each that is still there behind them, and never gives a verdict. What was seen
 * before and not behind was dropped in between. NAT in between would change what a packet is noted as; there is none here.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import * as z from "zod";
import { inNamespace, runIpBatch } from "./netns.ts";
import { CannotTell, must, patienceMs } from "#lab/run/process.ts";

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
  /** Returns when every packet that was between *before* and *behind* at the call was noted behind, or dropped. */
  pass(): Promise<void>;
  /** Takes the notes out of every namespace. */
  close(): Promise<void>;
}

/** Something that was sent and of which nothing is known yet. */
export interface Pending {
  readonly known: boolean;
  /** As which its packets may be noted, there and back; none while nothing was sent. */
  readonly flows: readonly Flow[];
  /** One of its packets was dropped. */
  markDropped(): void;
  readonly text: string;
}

export interface Settling {
  /** @throws when those who send are broken, so that nothing will be known */
  readonly assertSound: () => void;
  /** How long to go on without any news. */
  readonly patienceMs?: number;
}

/** How long the next look at the kernels waits, so that looking does not take the time of those who answer. */
const paceMs = 40;

/**
 * Returns when all is known: it answered meanwhile, or it was dropped. Silence is no answer, however long.
 * @throws CannotTell when there was no news for `patienceMs`
 */
export async function settle(
  drops: Drops,
  pending: readonly Pending[],
  { assertSound, patienceMs: patience = patienceMs }: Settling,
): Promise<void> {
  const unknown = (): readonly Pending[] => pending.filter(({ known }) => !known);
  const unsent = (): readonly Pending[] => unknown().filter(({ flows }) => flows.length === 0);
  let earlier: readonly Notes[] = [];
  let [left, news] = [Infinity, performance.now()];
  for (;;) {
    await pause(paceMs);
    assertSound();
    if (unsent().length === 0) {
      if (unknown().length === 0) return;
      const now = await drops.read();
      for (const one of unknown()) if (wasDropped(one, earlier, now)) one.markDropped();
      earlier = now;
      await drops.pass();
    }
    const still = unsent().length + unknown().length;
    if (still < left) [left, news] = [still, performance.now()];
    else if (performance.now() - news > patience)
      throw new CannotTell(describeStuck(unknown(), pending.length, earlier));
  }
}

/** Noted before rules in an earlier look, and still not behind them in a later one. */
const wasDropped = (
  { flows }: Pending,
  earlier: readonly Notes[],
  now: readonly Notes[],
): boolean =>
  flows.some((flow) =>
    earlier.some((notes, i) => notes.before.has(flow) && now[i]?.behind.has(flow) === false),
  );

function describeStuck(unknown: readonly Pending[], of: number, notes: readonly Notes[]): string {
  const examples = unknown.slice(0, 3).map(({ flows, text }) => {
    const seen = flows.some((flow) =>
      notes.some(({ before, behind }) => before.has(flow) || behind.has(flow)),
    );
    const where = seen ? "seen on its way" : flows.length > 0 ? "sent, never seen" : "not sent yet";
    return `${text} (${where})`;
  });
  const rest = unknown.length > examples.length ? ", …" : "";
  return `${unknown.length} of ${of} questions were neither answered nor seen to be dropped: ${examples.join(", ")}${rest}`;
}

/** @param idle a namespace in which a device may come and go */
export function openDrops(namespaces: readonly string[], idle: string): Drops {
  const everywhere = <T>(work: (namespace: string) => Promise<T>): Promise<readonly T[]> =>
    Promise.all(namespaces.map(work));
  return {
    forget: async () => {
      await everywhere((namespace) =>
        must(inNamespace(namespace, "nft", "-f", "-"), { input: notebook }),
      );
    },
    read: () => everywhere(readNotes),
    pass: () => passHooks(idle),
    close: async () => {
      await everywhere((namespace) =>
        must(inNamespace(namespace, "nft", "-f", "-"), { input: noNotebook }),
      );
    },
  };
}

/**
 * Returns when every packet that was inside a netfilter hook or between two of them at the call has come out: it is within
 * an RCU read-side section there, and a device that goes waits for all of them (synchronize_net).
 */
export async function passHooks(idle: string): Promise<void> {
  const device = `p${randomBytes(4).toString("hex")}`;
  await runIpBatch(idle, [
    `link add ${device} type veth peer name ${device}p`,
    `link delete ${device}`,
  ]);
}

const table = "lab_notes";
/** Behind conntrack, whose own drops are no rule's, and before all that filters. */
const first = -190;
const last = 400;

const families = [
  { name: "v4", nf: "ipv4", ip: "ip", icmp: "icmp" },
  { name: "v6", nf: "ipv6", ip: "ip6", icmp: "icmpv6" },
] as const;

/** Whether or not it is there. */
const noNotebook = `add table inet ${table}\ndelete table inet ${table}\n`;
/** Loads over itself, empty. */
const notebook = [
  `${noNotebook}table inet ${table} {`,
  ...["before", "behind"].flatMap((when) => families.flatMap((family) => formatSets(when, family))),
  ...formatChain("before", "prerouting", first),
  ...formatChain("before", "output", first),
  ...formatChain("behind", "input", last),
  ...formatChain("behind", "postrouting", last),
  "}",
  "",
].join("\n");

function formatSets(
  when: string,
  { name, ip, icmp }: (typeof families)[number],
): readonly string[] {
  const set = (what: string, type: string): string =>
    `\tset ${when}_${what}_${name} { typeof ${ip} saddr . ${ip} daddr . ${type}; size 65535; flags dynamic; }`;
  return [set("port", "meta l4proto . th sport . th dport"), set("echo", `${icmp} type`)];
}

function formatChain(when: string, hook: string, priority: number): readonly string[] {
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
  const found = Listing.parse(JSON.parse(text)).nftables.flatMap(({ set }) =>
    set === undefined ? [] : [set],
  );
  const findNoted = (when: string): ReadonlySet<Flow> =>
    new Set(
      found
        .filter(({ name }) => name.startsWith(when))
        .flatMap(({ elem }) => elem.map(({ concat }) => flowOf(concat))),
    );
  return { before: findNoted("before"), behind: findNoted("behind") };
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
