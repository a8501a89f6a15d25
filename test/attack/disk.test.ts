/**
 * What a full or a read-only disk does to a host: a refusal by code and the rules it had, and by itself the new ones
 * when there is room again. The state directory lies on a small tmpfs, so what fails here is a real write.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { Failpoint } from "#agent/cycle/enforce.ts";
import { lock } from "#agent/disk/lock.ts";
import type { Parts } from "#agent/cycle/parts.ts";
import { Report } from "#schema/wire.ts";
import { filesOf, publish } from "./plane.ts";
import {
  admitting,
  movedBy,
  type Namespace,
  openNamespace,
  openVictim,
  type Victim,
} from "./victim.ts";
import type { Published } from "#worker/signing/types.ts";

let namespace: Namespace;
let disk: string;
let victim: Victim;
let before: string;
let last: Published;
/** Milliseconds by which the host's clock is moved on, over its back-off. */
let ahead: number;
beforeAll(async () => void (namespace = await openNamespace()));
afterAll(() => namespace.close());
beforeEach(async () => {
  ahead = 0;
  disk = mkdtempSync(join(tmpdir(), "portcullis-disk-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m,nr_inodes=200", "portcullis-test", disk]);
  victim = await openVictim(namespace, disk);
  last = victim.second;
  before = await namespace.ruleset();
  restart();
});
afterEach(async () => {
  remount("rw");
  await victim.close();
  execFileSync("umount", ["--lazy", disk]);
  rmSync(disk, { recursive: true });
});

/** This mount alone: a whole file system stays writable while a watchdog that ends holds a file that is gone. */
const remount = (mode: "ro" | "rw"): void =>
  void execFileSync("mount", ["-o", `remount,bind,${mode}`, "portcullis-test", disk]);

const restart = (changes: Partial<Parts> = {}): void =>
  victim.restart({ clock: movedBy(() => ahead), ...changes });

async function serveNext(address: string): Promise<void> {
  last = await publish(victim.authority, admitting(address), last, { leaseSeconds: 86_400 });
  victim.plane.serve(filesOf(last));
}

async function expectConvergence(address: string): Promise<void> {
  ahead += 600_000;
  const { seq } = last.repository;
  expect(await victim.cycle()).toMatchObject({
    refusal: undefined,
    state: { kind: "steady", applied: { seq } },
  });
  expect(await namespace.ruleset()).toContain(address);
}

/** A cycle in which some write may have failed: the rules from before with its code, or the new ones as a whole. */
async function expectOldOrNew(address: string): Promise<"old" | "new"> {
  const { refusal, state } = await victim.cycle();
  const ruleset = await namespace.ruleset();
  if (ruleset === before) {
    expect(refusal?.code).toBe("state_unwritable");
    return "old";
  }
  expect(ruleset).toContain(address);
  expect(state).toMatchObject({ kind: "steady", applied: { seq: last.repository.seq } });
  return "new";
}

/** All blocks but `room` of them. */
function fillBlocks(room: number): void {
  const { bfree, bsize } = statfsSync(disk);
  writeFileSync(join(disk, "ballast"), Buffer.alloc((bfree - room) * bsize));
}

/** All inodes but `room` of them. */
function fillInodes(room: number): void {
  const { ffree } = statfsSync(disk);
  for (let n = room; n < ffree; n += 1) writeFileSync(join(disk, `ballast-${n}`), "");
}

function makeRoom(): void {
  for (const name of readdirSync(disk)) if (name.startsWith("ballast")) rmSync(join(disk, name));
}

test.each([
  ["blocks", fillBlocks],
  ["inodes", fillInodes],
])(
  "whichever write finds no more %s, keeps its rules, and converges when there is room",
  async (_, fill) => {
    const held: string[] = [];
    for (let room = 0; room <= 12; room += 1) {
      const address = `203.0.113.${room + 1}`;
      await serveNext(address);
      fill(room);
      held.push(await expectOldOrNew(address));
      makeRoom();
      await expectConvergence(address);
      before = await namespace.ruleset();
    }
    // Some of these rooms were too small and some were not: in between, each write was the one to fail.
    expect(held.join(" ")).toMatch(/^(old ){4,}.*new$/);
  },
);

test("tells the control plane of a disk without a block left, and takes the next rules, from the room it kept", async () => {
  await serveNext("203.0.113.1");
  await expectConvergence("203.0.113.1");
  before = await namespace.ruleset();
  await serveNext("203.0.113.2");
  fillBlocks(0);
  const reports = (): readonly Report[] =>
    victim.plane.asked
      .filter(({ path }) => path === "/v1/agent/report")
      .map(({ body }) => Report.parse(JSON.parse(body)));
  const told = reports().length;
  expect(await expectOldOrNew("203.0.113.2")).toBe("old");
  expect(reports().slice(told)).toMatchObject([{ refusal: { code: "state_unwritable" } }]);
  await expectConvergence("203.0.113.2");
});

test("an agent starts on a read-only disk, where there is no lock to take", () => {
  remount("ro");
  const taken = lock(victim.directory);
  expect(taken.held).toBe(true);
  remount("rw");
  const held = lock(victim.directory);
  remount("ro");
  expect(lock(victim.directory)).toEqual({ held: false, pid: process.pid });
  remount("rw");
  if (held.held) held.release();
});

test("keeps its rules on a read-only disk, also over a restart, and converges when it is writable", async () => {
  await serveNext("203.0.113.1");
  remount("ro");
  expect(await expectOldOrNew("203.0.113.1")).toBe("old");
  restart();
  expect(await expectOldOrNew("203.0.113.1")).toBe("old");
  remount("rw");
  await expectConvergence("203.0.113.1");
});

const readOnlyFrom = (point: Failpoint, then: () => void) => (passed: Failpoint) => {
  if (passed !== point) return;
  remount("ro");
  then();
};

test("takes back what it loaded when the disk turns read-only before the commit", async () => {
  await serveNext("203.0.113.1");
  restart({ pass: readOnlyFrom("loaded", () => undefined) });
  expect(await expectOldOrNew("203.0.113.1")).toBe("old");
});

test("takes back what it loaded when the state directory is gone before the commit", async () => {
  await serveNext("203.0.113.1");
  const gone = (passed: Failpoint): void => {
    if (passed === "loaded") rmSync(victim.directory, { recursive: true });
  };
  restart({ pass: gone });
  expect((await victim.cycle()).refusal?.code).toBe("state_unwritable");
  expect(await namespace.ruleset()).toBe(before);
});

test("takes back at its start what it loaded before it died, although the disk is read-only now", async () => {
  await serveNext("203.0.113.1");
  const died = new Error("died");
  const die = (): never => {
    throw died;
  };
  restart({ pass: readOnlyFrom("loaded", die) });
  await expect(victim.cycle()).rejects.toBe(died);
  expect(await namespace.ruleset()).toContain("203.0.113.1");
  victim.plane.answer((_, response) => void response.writeHead(503).end());
  restart();
  await victim.cycle();
  expect(await namespace.ruleset()).toBe(before);
});
