/**
 * Real packets between the lab's machines, through one prober process in each namespace: it asks, and it answers when
 * others ask. Knows nothing of rules.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { inNamespace } from "./netns.ts";
import { stop } from "./process.ts";
import type { Ask, Order } from "./prober.ts";
import type { LabState } from "./state.ts";

export type { Ask } from "./prober.ts";
export const families = ["v4", "v6"] as const;
export type LabFamily = (typeof families)[number];

export interface Place {
  readonly name: string;
  readonly namespace: string;
  readonly address: Readonly<Record<LabFamily, string>>;
}

/** One question: does what `from` asks of `to` come back? */
export interface Probe<P extends Place = Place> {
  readonly from: P;
  readonly to: P;
  readonly ask: Ask & { readonly text: string };
}

/** A question as people write it: `ping`, `tcp/443`, `udp/53`. @throws RangeError for anything else */
export function askOf(text: string): Probe["ask"] {
  if (text === "ping") return { protocol: "ping", text };
  const [, protocol, port] = /^(tcp|udp)\/([1-9]\d{0,4})$/.exec(text) ?? [];
  if (protocol !== "tcp" && protocol !== "udp") throw new RangeError(`not a question: ${text}`);
  return { protocol, port: Number(port), text };
}

export type Answered = Readonly<Record<LabFamily, boolean>>;

export interface Probers {
  /** Every place listens on what is asked, on all its addresses; what it listens on already is fine. */
  listen(asks: readonly Ask[]): Promise<void>;
  /**
   * All probes at once; for each, in order, the families in which it was answered. Silence is believed after
   * `patienceMs`, which holds more than one attempt, so that a busy machine does not look like a firewall.
   */
  answers(probes: readonly Probe[]): Promise<readonly Answered[]>;
  close(): Promise<void>;
}

const program = fileURLToPath(new URL("./prober.ts", import.meta.url));
const patienceMs = 2_200;

interface Prober {
  readonly place: Place;
  readonly child: ChildProcess;
  readonly lines: Interface;
}

/** Starts a prober in each place. @throws Error when one does not start */
export async function openProbers(places: readonly Place[], state: LabState): Promise<Probers> {
  const probers = new Map(places.map((place) => [place.name, startProber(place, state)]));
  return {
    listen: async (asks) => {
      await Promise.all(
        [...probers.values()].map((prober) =>
          order(prober, { kind: "listen", addresses: Object.values(prober.place.address), asks }, z.null()),
        ),
      );
    },
    answers: async (probes) => {
      const given = new Map<Probe, Answered>();
      const ask = async ([name, own]: [string, Probe[]]): Promise<void> => {
        const prober = probers.get(name);
        if (prober === undefined) throw new RangeError(`no prober in ${name}`);
        const questions = own.flatMap(({ from, to, ask: asked }) =>
          families.map((family) => ({ ...asked, from: from.address[family], to: to.address[family] })),
        );
        const heard = await order(prober, { kind: "ask", patienceMs, questions }, z.array(z.boolean()));
        for (const [i, probe] of own.entries())
          given.set(probe, { v4: heard[2 * i] === true, v6: heard[2 * i + 1] === true });
      };
      await Promise.all([...Map.groupBy(probes, ({ from }) => from.name)].map(ask));
      return probes.map((probe) => given.get(probe) ?? { v4: false, v6: false });
    },
    close: async () => {
      await Promise.all([...probers.values()].map(({ child }) => stop(child)));
    },
  };
}

function startProber(place: Place, state: LabState): Prober {
  const [command = "", ...args] = inNamespace(place.namespace, process.execPath, program);
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"], detached: true });
  if (child.pid !== undefined) state.started(child.pid);
  return { place, child, lines: createInterface({ input: child.stdout }) };
}

/** One order at a time. @throws Error when the prober ends without an answer, or says that it failed */
async function order<T>({ place, child, lines }: Prober, given: Order, answer: z.ZodType<T>): Promise<T> {
  const ended = new AbortController();
  const gone = (): void => ended.abort();
  child.once("exit", gone);
  const line = once(lines, "line", { signal: ended.signal }).catch(() => {
    throw new Error(`the prober in ${place.name} ended`);
  });
  child.stdin?.write(`${JSON.stringify(given)}\n`);
  const [said] = (await line) as [string];
  child.off("exit", gone);
  const parsed = answer.safeParse(JSON.parse(said));
  if (!parsed.success) throw new Error(`the prober in ${place.name}: ${said.slice(0, 200)}`);
  return parsed.data;
}
