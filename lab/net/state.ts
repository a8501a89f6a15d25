/**
 * What a lab has made on this machine, written down before it is made, so that a killed lab can be swept. Also the
 * lock: one lab per data folder. Must never end a process or remove a namespace that is not in the ledger.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { once } from "node:events";
import * as z from "zod";
import { newPrefix, removeNamespaces } from "./netns.ts";
import { run, sendSignal, startTicks, waitUntil } from "#lab/run/process.ts";

/** `pc` and eight random hex digits start every namespace's name. */
const Namespace = z.string().regex(/^pc[0-9a-f]{8}-[a-z0-9]{1,12}$/);
const Child = z.strictObject({ pid: z.int().min(2), ticks: z.string().regex(/^\d+$/) });
const Ledger = z.strictObject({ namespaces: z.array(Namespace), children: z.array(Child) });
type Ledger = z.infer<typeof Ledger>;

export interface Swept {
  readonly namespaces: number;
  readonly processes: number;
}

export interface LabState {
  /** Starts the name of every namespace of this lab. */
  readonly prefix: string;
  /** Where the control plane is reached from other namespaces. */
  readonly socketPath: string;
  /** Writes the names down; call it before the namespaces are made. */
  willMake(namespaces: readonly string[]): void;
  started(pid: number): void;
  /** Ends and removes everything in the ledger, then forgets it. */
  sweep(): Promise<Swept>;
  release(): void;
}

/** @returns undefined when another lab holds this data folder */
export async function openState(data: string): Promise<LabState | undefined> {
  const folder = join(data, "lab");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const lock = await takeLock(realpathSync(data));
  if (lock === undefined) return undefined;
  const file = join(folder, "ledger.json");
  const socketPath = join(folder, "control.sock");
  let ledger = readLedger(file);
  const write = (next: Ledger): void => {
    ledger = next;
    writeFileSync(`${file}.new`, JSON.stringify(next), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  };
  return {
    prefix: newPrefix(),
    socketPath,
    willMake: (namespaces) =>
      write({ ...ledger, namespaces: [...ledger.namespaces, ...namespaces] }),
    started: (pid) => {
      const ticks = startTicks(pid);
      if (ticks !== undefined) write({ ...ledger, children: [...ledger.children, { pid, ticks }] });
    },
    sweep: async () => {
      const swept = await cleanLedger(ledger);
      rmSync(file, { force: true });
      rmSync(socketPath, { force: true });
      ledger = { namespaces: [], children: [] };
      return swept;
    },
    release: () => lock.close(),
  };
}

/** An abstract unix socket: the kernel drops it with the process, so there is never a stale lock (unix(7)). */
async function takeLock(path: string): Promise<Server | undefined> {
  const name = createHash("sha256").update(path).digest("hex").slice(0, 32);
  const server = createServer((socket) => socket.destroy());
  server.unref();
  try {
    server.listen(`\0portcullis-lab-${name}`);
    await once(server, "listening");
    return server;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EADDRINUSE") return undefined;
    throw error;
  }
}

function readLedger(file: string): Ledger {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT")
      return { namespaces: [], children: [] };
    throw error;
  }
  return Ledger.parse(JSON.parse(text));
}

async function cleanLedger(ledger: Ledger): Promise<Swept> {
  const present = await presentNamespaces();
  const namespaces = ledger.namespaces.filter((name) => present.has(name));
  const inside = (await Promise.all(namespaces.map(processesIn))).flat();
  const children = ledger.children
    .filter(({ pid, ticks }) => startTicks(pid) === ticks)
    .map(({ pid }) => pid);
  const doomed = [...new Set([...children, ...inside])].flatMap((pid) => {
    const ticks = startTicks(pid);
    return ticks === undefined ? [] : [{ pid, ticks }];
  });
  for (const { pid } of doomed) sendSignal(pid, "SIGKILL");
  await waitUntil("end of the lab's processes", () =>
    doomed.every(({ pid, ticks }) => startTicks(pid) !== ticks) ? true : undefined,
  );
  await removeNamespaces(namespaces);
  return { namespaces: namespaces.length, processes: doomed.length };
}

/** A machine without `ip` has no namespaces of ours either. */
async function presentNamespaces(): Promise<ReadonlySet<string>> {
  const found = await run(["ip", "netns", "list"]).catch(() => undefined);
  const names = (found?.stdout ?? "").split("\n").map((line) => line.split(" ")[0] ?? "");
  return new Set(names.filter((name) => name !== ""));
}

async function processesIn(namespace: string): Promise<readonly number[]> {
  const { stdout } = await run(["ip", "netns", "pids", namespace]);
  return stdout
    .split("\n")
    .map(Number)
    .filter((pid) => pid > 1);
}
