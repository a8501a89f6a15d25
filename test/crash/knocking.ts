/**
 * Two peers of a host that knock for as long as they are told to: a stranger, who must never get in, and the management
 * network, which always must. What becomes of each packet is counted by the host's own kernel, before all rules and
 * behind them, so that neither a slow machine nor a packet sent again hides or feigns a moment in which rules were wrong.
 */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import * as z from "zod";
import { passHooks } from "#lab/net/drops.ts";
import { inNamespace } from "#lab/net/netns.ts";
import { must, waitUntil } from "#lab/run/process.ts";

export interface Counts {
  /** Packets of the stranger that came through the rules. */
  readonly opens: number;
  /** Packets of the management network, or the host's answers to it, that did not. */
  readonly lockOuts: number;
  readonly knocks: number;
}

export const noCounts: Counts = { opens: 0, lockOuts: 0, knocks: 0 };

export const add = (a: Counts, b: Counts): Counts => ({
  opens: a.opens + b.opens,
  lockOuts: a.lockOuts + b.lockOuts,
  knocks: a.knocks + b.knocks,
});

/** Where who knocks. */
export const ports = { stranger: 80, admin: 22 } as const;

export interface Knocking {
  /** Begins anew: the table that counts may have been flushed with everything else. */
  start(): Promise<void>;
  /** Waits until both have knocked this often since `start`. */
  knocked(times: number): Promise<void>;
  /** Ends the knocking and counts it, once nothing of it is under way any more. */
  stop(): Promise<Counts>;
}

export interface Peers {
  /** The host's namespace. */
  readonly host: string;
  /** A namespace in which a device may come and go. */
  readonly idle: string;
  /** `watch.ts` running in a stranger's namespace, and in the management network's. */
  readonly stranger: ChildProcess;
  readonly admin: ChildProcess;
}

export function openKnocking({ host, idle, stranger, admin }: Peers): Knocking {
  const watches = [stranger, admin].map((child) => {
    if (child.stdout === null || child.stdin === null) throw new Error("expected pipes to a watch");
    return { input: child.stdin, lines: createInterface({ input: child.stdout }) };
  });
  const tell = (word: "start" | "stop"): void =>
    watches.forEach(({ input }) => input.write(`${word}\n`));
  return {
    start: async () => {
      await must(inNamespace(host, "nft", "-f", "-"), { input: table });
      tell("start");
    },
    knocked: async (times) => {
      await waitUntil(`${times} knocks of both`, async () => {
        const { stranger_before, admin_before } = await read(host);
        return Math.min(stranger_before, admin_before) >= times ? true : undefined;
      });
    },
    async stop() {
      const stopped = watches.map(({ lines }) => once(lines, "line"));
      tell("stop");
      await Promise.all(stopped);
      const counted = await waitUntil("the last knock to be over", async () => {
        const earlier = await read(host);
        await passHooks(idle);
        const now = await read(host);
        return JSON.stringify(earlier) === JSON.stringify(now) ? now : undefined;
      });
      return {
        opens: counted.stranger_behind,
        lockOuts:
          counted.admin_before -
          counted.admin_behind +
          counted.answer_before -
          counted.answer_behind,
        knocks: counted.stranger_before + counted.admin_before,
      };
    },
  };
}

const counters = ["stranger", "admin", "answer"].flatMap((who) => [
  `${who}_before`,
  `${who}_behind`,
]);

const matches = {
  in: [
    ["stranger", `tcp dport ${ports.stranger} tcp flags & (syn | ack) == syn`],
    ["admin", `tcp dport ${ports.admin} tcp flags & (syn | ack) == syn`],
  ],
  out: [["answer", `tcp sport ${ports.admin} tcp flags & (syn | ack) == syn | ack`]],
} as const;

const chain = (hook: string, priority: number, when: string, way: keyof typeof matches): string => `
\tchain ${when}_${way} {
\t\ttype filter hook ${hook} priority ${priority}; policy accept;
${matches[way].map(([who, match]) => `\t\t${match} counter name "${who}_${when}"\n`).join("")}\t}`;

/** Loads over itself, at zero. Behind conntrack, whose own drops are no rule's. */
const table = `add table inet knocks
delete table inet knocks
table inet knocks {
${counters.map((name) => `\tcounter ${name} {\n\t}\n`).join("")}
${chain("prerouting", -190, "before", "in")}
${chain("input", 400, "behind", "in")}
${chain("output", -190, "before", "out")}
${chain("postrouting", 400, "behind", "out")}
}
`;

const packets = z.int().nonnegative();
const Read = z.object({
  stranger_before: packets,
  stranger_behind: packets,
  admin_before: packets,
  admin_behind: packets,
  answer_before: packets,
  answer_behind: packets,
});
const Listing = z.object({
  nftables: z.array(z.object({ counter: z.object({ name: z.string(), packets }).optional() })),
});

async function read(host: string): Promise<z.infer<typeof Read>> {
  const text = await must(inNamespace(host, "nft", "-j", "list", "table", "inet", "knocks"));
  const found = Listing.parse(JSON.parse(text)).nftables.flatMap(({ counter }) =>
    counter === undefined ? [] : [[counter.name, counter.packets] as const],
  );
  return Read.parse(Object.fromEntries(found));
}
