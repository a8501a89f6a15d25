/**
 * The host under attack: a real agent with a real state directory, whose nft works in a network namespace of its own.
 * A test compares that kernel's whole ruleset before and after.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { Agent } from "#agent/cycle/agent.ts";
import type { Cycle, Parts } from "#agent/cycle/parts.ts";
import { openNft } from "#agent/backend/nft/nft.ts";
import { spawnExec, spawnStream } from "#agent/process/spawn.ts";
import { openWatchdog } from "#agent/backend/nft/watchdog.ts";
import { fallbackOf } from "#agent/cycle/fallback.ts";
import { guardReader } from "#agent/guard/index.ts";
import { readIdentity } from "#agent/disk/identity.ts";
import { join } from "#agent/cycle/join.ts";
import { type LeaseClock, openLeaseClock, systemClocks } from "#agent/disk/clock.ts";
import { cutFlows } from "#agent/flows/conntrack.ts";
import { DriftLog } from "#agent/observe/drift-log.ts";
import { ServiceWatch } from "#agent/observe/service-watch.ts";
import { openEventLog } from "#agent/observe/event-log.ts";
import { openKernel } from "#agent/backend/kernel.ts";
import { openClient } from "#agent/transport/client.ts";
import { defaultLimits, type Limits } from "#agent/transport/request.ts";
import { openTrust } from "#agent/trust/index.ts";
import {
  inNamespace,
  makeNamespaces,
  makeNamespaceName,
  newPrefix,
  removeNamespaces,
} from "#lab/net/netns.ts";
import { type Ruleset, widest } from "#schema/ruleset.ts";
import {
  type Authority,
  type Files,
  filesOf,
  newAuthority,
  openPlane,
  type Plane,
  publish,
  sha256,
} from "./plane.ts";
import type { Published } from "#worker/signing/types.ts";

/** Admits `addresses` to this host and drops everybody else. */
export const admitting = (...addresses: readonly string[]): Ruleset => ({
  scopes: [{ kind: "host" }],
  sets: [{ name: "g_office", kind: "addresses", elements: [...addresses] }],
  classes: [],
  rules: [
    {
      ...widest,
      row: "hosts/gw#office",
      scope: "host",
      section: "grant",
      direction: "in",
      source: { kind: "set", set: "g_office" },
      verdict: "accept",
      counter: "r_office",
    },
    {
      ...widest,
      row: "hosts/gw#rest",
      scope: "host",
      section: "end",
      direction: "in",
      verdict: "drop",
      counter: "r_rest",
    },
  ],
});

export const guardText =
  "management:\n  allow:\n    - { cidr: 192.0.2.0/24, proto: tcp, port: 22 }\n";

/** A clock that a test moves on by milliseconds. */
export const movedBy = (ahead: () => number, anchor: () => void = () => undefined): LeaseClock => ({
  now: () => Date.now() + ahead(),
  wall: Date.now,
  anchor,
  takeAlarm: () => undefined,
});

/** A namespace for one test file. */
export async function openNamespace() {
  const name = makeNamespaceName(newPrefix(), "victim");
  await makeNamespaces([name]);
  const exec = spawnExec({ prefix: ["ip", "netns", "exec", name], timeoutSeconds: 20 });
  return {
    name,
    exec,
    /** The whole ruleset without counters, as text. */
    ruleset: async (): Promise<string> => (await exec(["nft", "-s", "list", "ruleset"], "")).stdout,
    clear: async (): Promise<void> => void (await exec(["nft", "flush", "ruleset"], "")),
    close: () => removeNamespaces([name]),
  };
}
export type Namespace = Awaited<ReturnType<typeof openNamespace>>;

export interface Victim {
  readonly authority: Authority;
  readonly plane: Plane;
  readonly directory: string;
  readonly guardPath: string;
  readonly log: readonly string[];
  /** Seq 1 and seq 2; the host runs seq 2. */
  readonly first: Published;
  readonly second: Published;
  /** The update that the host runs. */
  readonly good: Files;
  cycle(): Promise<Cycle>;
  /** A new process over the same state directory. */
  restart(changes?: Changes): void;
  close(): Promise<void>;
}

export interface Placed {
  readonly namespace: Pick<Namespace, "name" | "exec">;
  readonly directory: string;
  readonly guardPath: string;
  readonly url: string;
  readonly rootSha256: string;
  readonly log: string[];
}

type Changes = Partial<Parts> & { readonly limits?: Limits };

/** An agent as `run` makes it, for a host that joined, with its nft in the namespace. */
export function agentIn(placed: Placed, changes: Changes = {}): Agent {
  const { namespace, directory, guardPath, url, rootSha256, log } = placed;
  const identity = readIdentity(directory);
  if (identity === undefined) throw new Error("expected to have joined");
  const limits = changes.limits ?? defaultLimits;
  const fallback = fallbackOf(guardPath);
  return new Agent({
    directory,
    fallback,
    readGuard: guardReader(guardPath, url),
    identity,
    url,
    cycleMs: limits.cycleMs,
    trust: openTrust(directory, { ...identity, rootSha256 }, Date.now()),
    client: openClient(url, identity, limits),
    kernel: openKernel(openNft(namespace.exec)),
    watchdog: openWatchdog(directory, fallback, "nft", inNamespace(namespace.name)),
    processes: () => [],
    pass: () => undefined,
    drift: new DriftLog(),
    events: openEventLog(directory, Date.now, (line) => void log.push(line)),
    // The victim's rules are for its namespace, and this process listens in another.
    services: new ServiceWatch(
      () => [],
      (line) => void log.push(line),
    ),
    cutFlows: (rules, before) =>
      cutFlows(
        { exec: namespace.exec, stream: spawnStream(inNamespace(namespace.name)) },
        rules,
        before,
        Math.floor(Date.now() / 1000),
      ),
    now: Date.now,
    clock: openLeaseClock(directory, systemClocks()),
    log: (line) => void log.push(line),
    ...changes,
  });
}

/** A host that has joined, without an agent yet. Its files lie in a new directory below `below`. */
export async function openJoined(namespace: Pick<Namespace, "name" | "exec">, below = tmpdir()) {
  const authority = await newAuthority();
  const plane = await openPlane(authority.root);
  const base = mkdtempSync(joinPath(below, "portcullis-victim-"));
  const directory = joinPath(base, "state");
  const guardPath = joinPath(base, "guard.yaml");
  writeFileSync(guardPath, guardText, { mode: 0o600 });
  const log: string[] = [];
  const rootSha256 = sha256(authority.root);
  await join({ directory, url: plane.url, rootSha256, token: "pce_test", ca: null }, defaultLimits);

  const start = (changes: Changes = {}): Agent =>
    agentIn({ namespace, directory, guardPath, url: plane.url, rootSha256, log }, changes);
  return {
    authority,
    plane,
    directory,
    guardPath,
    log,
    start,
    async close() {
      await plane.close();
      rmSync(base, { recursive: true, force: true });
    },
  };
}

/** A host that joined, committed seq 1 and then seq 2. Its files lie in a new directory below `below`. */
export async function openVictim(namespace: Namespace, below = tmpdir()): Promise<Victim> {
  await namespace.clear();
  const { start, ...host } = await openJoined(namespace, below);
  const { authority, plane } = host;
  let agent = start();
  const cycle = (): Promise<Cycle> => agent.runCycle(new AbortController().signal);

  const first = await publish(authority, admitting("198.51.100.1"), undefined);
  const second = await publish(authority, admitting("198.51.100.1", "2001:db8::1"), first);
  for (const published of [first, second]) {
    plane.serve(filesOf(published));
    const { refusal, state } = await cycle();
    if (refusal !== undefined || state.kind !== "steady")
      throw new Error(
        `expected a steady host, got ${state.kind} ${refusal?.code} ${refusal?.message}`,
      );
  }
  return {
    ...host,
    first,
    second,
    good: filesOf(second),
    cycle,
    restart: (changes) => void (agent = start(changes)),
  };
}
