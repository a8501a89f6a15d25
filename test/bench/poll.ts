/**
 * The poll that changes nothing, beside the bare framework that answers 304 and does nothing else: CPU time of the
 * server a poll, on the same runtime and HTTP server, under the same requests, in turns. 2,000 hosts poll one after the
 * other, each every 30 s of the control plane's time, so that every token comes as rarely as a real fleet's.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { load } from "./poll-load.ts";
import type { Listening, Spent } from "./poll-server.ts";

export interface Row {
  readonly name: string;
  /** Ours and the floor's, in the unit of the name. */
  readonly value: number;
  readonly floor: number;
  readonly ratio: number;
  readonly goal: number;
}

const hosts = 2000;
const rounds = 41;
/** Polls of each host a round. */
const pollsEach = 4;

export async function bench(): Promise<readonly Row[]> {
  const ours = await start("ours");
  const floor = await start("floor");
  try {
    const { requests } = ours;
    // The first rounds warm up: there, every token is new.
    await spent(ours, requests);
    await spent(floor, requests);
    const measured: { readonly value: number; readonly floor: number }[] = [];
    for (let round = 0; round < rounds; round += 1)
      measured.push({ value: await spent(ours, requests), floor: await spent(floor, requests) });
    const [value, base] = [
      best(measured.map((round) => round.value)),
      best(measured.map((round) => round.floor)),
    ];
    const name = "server CPU, µs a poll of 2,000 tokens: bare Hono";
    return [{ name, value, floor: base, ratio: value / base, goal: 1.15 }];
  } finally {
    ours.process.disconnect();
    floor.process.disconnect();
  }
}

interface Server extends Listening {
  readonly process: ChildProcess;
}

async function start(kind: "ours" | "floor"): Promise<Server> {
  const child = fork(new URL("./poll-server.ts", import.meta.url), [kind, String(hosts)]);
  return { ...(await answer<Listening>(child)), process: child };
}

/** @returns CPU microseconds a poll */
async function spent(server: Server, requests: readonly string[]): Promise<number> {
  const before = await cpu(server);
  await load({ port: server.port, requests, connections: 16, rounds: pollsEach });
  return ((await cpu(server)) - before) / (pollsEach * requests.length);
}

async function cpu({ process }: Server): Promise<number> {
  const answered = answer<Spent>(process);
  process.send("cpu");
  return (await answered).cpu;
}

/** The child's next message; it is our own program, so its shape is what it says. */
async function answer<T>(child: ChildProcess): Promise<T> {
  const settled = new AbortController();
  const { signal } = settled;
  const ended = once(child, "exit", { signal }).then(([code]) => {
    throw new Error(`a server of the benchmark ended with ${String(code)}`);
  });
  try {
    const [message] = (await Promise.race([once(child, "message", { signal }), ended])) as [T];
    return message;
  } finally {
    ended.catch(() => undefined);
    settled.abort();
  }
}

/** A busy neighbour on the same core makes a round dearer, never cheaper. */
const best = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 4)] ?? Number.NaN;
