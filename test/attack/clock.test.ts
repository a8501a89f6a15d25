/**
 * A host whose wall clock is wrong, jumps, or moves within a cycle: a real agent in a process of its own, under
 * libfaketime. Only the wall clock is faked: the uptime is the machine's, as it would be. It never opens, it does not
 * outlive its lease, and it goes on when its clock is mended.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import * as z from "zod";
import { filesOf, publish } from "./plane.ts";
import type { Published } from "#worker/signing/types.ts";
import { admitting, type Namespace, openNamespace, openVictim, type Victim } from "./victim.ts";

let namespace: Namespace;
let victim: Victim;
let before: string;
let last: Published;
let child: ChildProcess;
let lines: Interface;
beforeAll(async () => void (namespace = await openNamespace()));
afterAll(() => namespace.close());
beforeEach(async () => {
  victim = await openVictim(namespace);
  last = victim.second;
  before = await namespace.ruleset();
});
afterEach(async () => {
  child.kill("SIGKILL");
  await victim.close();
});

const hour = 3600;
const year = 365 * 24 * hour;

const path = (name: string): string => join(victim.directory, "..", name);
/** Sets the agent's wall clock off by so many seconds, at once. */
const shift = (seconds: number): void =>
  writeFileSync(path("offset"), `${seconds < 0 ? "" : "+"}${seconds}\n`);

/** Starts the agent under a clock that is off by so many seconds. */
function start(seconds: number): void {
  shift(seconds);
  writeFileSync(path("nft"), `#!/bin/sh\nexec ip netns exec ${namespace.name} nft "$@"\n`);
  chmodSync(path("nft"), 0o755);
  const cycler = fileURLToPath(new URL("../support/cycler.ts", import.meta.url));
  child = spawn(process.execPath, [cycler, victim.directory, victim.guardPath, path("nft")], {
    stdio: ["pipe", "pipe", "inherit"],
    env: {
      ...process.env,
      // The dynamic linker puts the machine's own folder of libraries here.
      LD_PRELOAD: "/usr/$LIB/faketime/libfaketimeMT.so.1",
      FAKETIME_TIMESTAMP_FILE: path("offset"),
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    },
  });
  lines = createInterface({ input: child.stdout ?? process.stdin });
}

const Told = z.strictObject({
  kind: z.string(),
  refusal: z.string().nullable(),
  logged: z.array(z.string()),
});

async function cycle(): Promise<z.infer<typeof Told>> {
  const line = once(lines, "line");
  child.stdin?.write("cycle\n");
  return Told.parse(JSON.parse(String((await line)[0])));
}

async function serveNext(leaseSeconds = hour): Promise<void> {
  const address = `203.0.113.${last.repository.seq}`;
  last = await publish(victim.authority, admitting(address), last, { leaseSeconds });
  victim.plane.serve(filesOf(last));
}

test.each([
  ["a day behind", -24 * hour],
  ["ten years behind", -10 * year],
  ["five minutes ahead", 300],
  ["80 years ahead", 80 * year],
])(
  "a clock %s, from the start or all at once, keeps the rules and takes the next ones",
  async (_, seconds) => {
    start(seconds);
    expect(await cycle()).toMatchObject({ kind: "steady", refusal: null });
    shift(0);
    expect(await cycle()).toMatchObject({ kind: "steady", refusal: null });
    shift(seconds);
    expect(await cycle()).toMatchObject({ kind: "steady", refusal: null });
    expect(await namespace.ruleset()).toBe(before);
    await serveNext();
    expect(await cycle()).toMatchObject({ kind: "steady", refusal: null });
    expect(await namespace.ruleset()).toContain("203.0.113.2");
  },
);

test("a clock that nobody can have is told of, once", async () => {
  start(0);
  const told: boolean[] = [];
  for (const seconds of [0, 80 * year, 80 * year, 0]) {
    shift(seconds);
    const { logged } = await cycle();
    told.push(logged.some((line) => line.startsWith("refused clock_ahead")));
  }
  expect(told).toEqual([false, true, false, false]);
});

test.each([
  ["ten years back", -10 * year],
  ["80 years on", 80 * year],
])(
  "a clock that steps %s within a cycle, as the reply comes, changes nothing that was decided",
  async (_, seconds) => {
    start(0);
    await serveNext();
    const { plane } = victim;
    const served = plane.asked.length;
    await cycle();
    expect(plane.asked.length).toBeGreaterThan(served);
    before = await namespace.ruleset();
    plane.answer((_request, response) => {
      shift(seconds);
      response.writeHead(304).end();
    });
    expect(await cycle()).toMatchObject({ kind: "steady", refusal: null });
    expect(await cycle()).toMatchObject({ kind: "steady", refusal: null });
    expect(await namespace.ruleset()).toBe(before);
  },
);

test.each([
  ["ten years back", -10 * year],
  ["80 years on", 80 * year],
])(
  "a lease ends by the uptime although the clock was set %s, and 304 for ever does not extend it",
  async (_, seconds) => {
    start(0);
    await cycle();
    await serveNext(5);
    expect(await cycle()).toMatchObject({ refusal: null });
    before = await namespace.ruleset();
    victim.plane.answer((_request, response) => void response.writeHead(304).end());
    shift(seconds);
    const kinds: string[] = [];
    const patience = performance.now() + 300_000;
    while (kinds.at(-1) !== "stale" && performance.now() < patience)
      kinds.push((await cycle()).kind);
    expect(kinds.at(-1)).toBe("stale");
    expect(new Set(kinds.slice(0, -1))).toEqual(new Set(["steady"]));
    expect(await namespace.ruleset()).toBe(before);
    shift(0);
    await serveNext();
    expect(await cycle()).toMatchObject({ kind: "steady" });
  },
);
