import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lock, lockHolder } from "#agent/disk/lock.ts";
import { linkDurable, readOptional, writeDurable } from "#agent/disk/files.ts";
import { readStatus, type Status, openStatusWriter } from "#agent/report/status.ts";
import {
  readCommittedSlot,
  commitSlot,
  everCommitted,
  revokeSlot,
  stageSlot,
} from "#agent/disk/slots.ts";
import { programSha256 } from "#agent/disk/digest.ts";
import { readFloors, initialFloors, writeFloors } from "#agent/trust/floors.ts";
import { renderClosed } from "#core/render/index.ts";
import { Guard } from "#schema/guard.ts";

let directory: string;
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), "portcullis-files-"))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test("replaces a file whole, private, and over the leftover of a crash", () => {
  const path = join(directory, "x.json");
  writeFileSync(join(directory, ".x.json.new"), "torn");
  writeDurable(path, "one");
  writeDurable(path, "two");
  expect(readFileSync(path, "utf8")).toBe("two");
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readdirSync(directory)).toEqual(["x.json"]);
});

test("status is written where it says something new, and what could not be written is written later", () => {
  const path = join(directory, "status.json");
  const at = (minute: number): string => `2026-01-01T00:0${minute}:00.000Z`;
  const status: Status = {
    state: "steady",
    since: at(0),
    updated_at: at(0),
    host: "gw",
    fleet: "acme",
    url: "https://control.example",
    applied: null,
    counting: null,
    held: null,
    lease_ends_at: null,
    last_refusal: null,
    drift: null,
    foreign_drops: null,
    foreign_redirects: null,
    foreign_unlisted: null,
    flows_uncut: null,
    listening: null,
    expires: [],
  };
  const write = openStatusWriter(directory);
  mkdirSync(path);
  expect(() => write(status)).toThrow(expect.objectContaining({ code: "EISDIR" }));
  rmSync(path, { recursive: true });
  write(status);
  const { ino } = statSync(path);
  write({ ...status, updated_at: at(1) });
  expect(statSync(path).ino).toBe(ino);
  write({ ...status, state: "stale", updated_at: at(2) });
  expect(readStatus(directory)).toMatchObject({ state: "stale", updated_at: at(2) });
});

test("does not write through a symbolic link that lies in its way", () => {
  const victim = join(directory, "victim");
  writeFileSync(victim, "mine");
  symlinkSync(victim, join(directory, ".x.new"));
  symlinkSync(victim, join(directory, "x"));
  writeDurable(join(directory, "x"), "two");
  expect(readFileSync(victim, "utf8")).toBe("mine");
  expect(readFileSync(join(directory, "x"), "utf8")).toBe("two");
});

test("moves a link in one step, and reads nothing where there is nothing", () => {
  mkdirSync(join(directory, "a"));
  linkDurable(join(directory, "current"), "a");
  linkDurable(join(directory, "current"), "b");
  expect(readOptional(join(directory, "current", "none"))).toBeUndefined();
  expect(readOptional(join(directory, "none"))).toBeUndefined();
});

test("lets one process in, and the next after a crash", () => {
  const held = lock(directory);
  expect(held.held).toBe(true);
  expect(lock(directory)).toEqual({ held: false, pid: process.pid });
  expect(lockHolder(directory)).toBe(process.pid);
  if (held.held) held.release();
  expect(lockHolder(directory)).toBeUndefined();
  // A process number used again by another process is not the one that died.
  writeFileSync(join(directory, "lock"), `${process.pid} 1\n`);
  const next = lock(directory);
  expect(next.held).toBe(true);
});

const program = renderClosed(Guard.parse({ management: { interfaces: ["eth0"] } }));
const digest = "0".repeat(64);
const committed = (seq: number) => ({
  seq,
  revision: seq,
  bundle_sha256: digest,
  mode: "enforce" as const,
  program_sha256: programSha256(program),
  guard_sha256: digest,
  renderer: "nft-1",
});

test("commits to the slot not in use, so that a torn commit leaves the one before", () => {
  expect(everCommitted(directory)).toBe(false);
  for (const seq of [1, 2, 3])
    expect(commitSlot(directory, stageSlot(directory, committed(seq), program, 0))).toBe(true);
  expect(readCommittedSlot(directory)).toMatchObject({
    name: "a",
    n: 3,
    applied: { seq: 3 },
    program,
  });
  for (const [torn, left] of [
    ["ruleset.nft", 2],
    ["program.json", 2],
    ["meta.json", 2],
    ["seal", 2],
  ] as const) {
    const path = join(directory, "slots", "a", torn);
    const whole = readFileSync(path);
    writeFileSync(path, whole.subarray(0, whole.length / 2));
    expect(readCommittedSlot(directory)?.applied.seq).toBe(left);
    writeFileSync(path, whole);
  }
  expect(readCommittedSlot(directory)?.applied.seq).toBe(3);
  expect(everCommitted(directory)).toBe(true);
});

test("a candidate is not committed before its seal, and of commit and revert exactly one happens", () => {
  commitSlot(directory, stageSlot(directory, committed(1), program, 0));
  const first = stageSlot(directory, committed(2), program, 0);
  expect(readCommittedSlot(directory)?.applied.seq).toBe(1);
  expect(revokeSlot(directory, first)).toBe(true);
  expect(commitSlot(directory, first)).toBe(false);
  expect(readCommittedSlot(directory)?.applied.seq).toBe(1);
  const second = stageSlot(directory, committed(3), program, 0);
  expect(commitSlot(directory, second)).toBe(true);
  expect(revokeSlot(directory, second)).toBe(false);
  expect(readCommittedSlot(directory)?.applied.seq).toBe(3);
});

test("one copy of the floors is enough, and none is no fresh start", () => {
  const written = { ...initialFloors(1), root: 7 };
  writeFloors(directory, written);
  for (const slot of ["floors.a", "floors.b"]) {
    const path = join(directory, slot);
    const whole = readFileSync(path, "utf8");
    for (const damaged of ["", whole.slice(0, -9), whole.replace('"root":7', '"root":1'), "{}"]) {
      writeFileSync(path, damaged);
      expect(readFloors(directory)).toEqual(written);
    }
    writeFileSync(path, whole);
  }
  for (const slot of ["floors.a", "floors.b"]) writeFileSync(join(directory, slot), "");
  expect(() => readFloors(directory)).toThrow(expect.objectContaining({ code: "state_invalid" }));
});
