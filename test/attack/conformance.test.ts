/**
 * TUF's client workflow (specification §5.3 to §5.7), case by case as the conformance suite has them, through the
 * client contract that the suite uses. Each case is played to the trust room and to stock tuf-js.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { run as runProgram } from "#lab/run/process.ts";
import { bundleFor, newKey, type Repository } from "../conformance/repository.ts";
import { alter, flipSignature, modes, openStage, type Stage } from "../conformance/stage.ts";
import { sha256 } from "./plane.ts";

let stage: Stage;
beforeEach(async () => void (stage = await openStage()));
afterEach(async () => {
  vi.useRealTimers();
  await stage.close();
});

const all = ["targets", "snapshot", "timestamp"] as const;

test("the program of the contract exits 0 and 1, and says why", async () => {
  const main = fileURLToPath(new URL("../conformance/main.ts", import.meta.url));
  const program = (...words: readonly string[]) =>
    runProgram([process.execPath, main, ...stage.where(), ...words]);
  writeFileSync(
    stage.path("initial.json"),
    stage.repository.files.get("metadata/1.root.json") ?? "",
  );
  for (const words of [["init", stage.path("initial.json")], ["refresh"]])
    expect(await program(...words)).toMatchObject({ code: 0 });
  alter(stage.repository, "metadata/timestamp.json", flipSignature);
  const refused = await program("refresh");
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("signature_invalid") });
});

describe.each(modes)("%s", (mode) => {
  test("a first refresh asks for the next root, timestamp, snapshot and targets, and believes them", async () => {
    expect(await stage.init(mode)).toBe(0);
    expect(stage.repository.asked).toEqual([]);
    expect(await stage.refresh(mode)).toBe(0);
    const metadata = stage.repository.asked.filter((path) => path.startsWith("metadata/"));
    expect(metadata.map((path) => path.slice("metadata/".length))).toEqual([
      "2.root.json",
      "timestamp.json",
      "1.snapshot.json",
      "1.targets.json",
    ]);
    expect(stage.believed()).toEqual({ root: 1, timestamp: 1, snapshot: 1, targets: 1 });
  });

  test("a download refreshes first, and fails where there is no such target", async () => {
    await stage.init(mode);
    expect(await stage.download(mode, "nonexistent")).toBe(1);
    expect(stage.believed()).toEqual({ root: 1, timestamp: 1, snapshot: 1, targets: 1 });
  });

  test("a target is downloaded as it was signed, and not again while it is the same", async () => {
    await stage.init(mode);
    for (const addresses of [["198.51.100.1"], ["203.0.113.9"]]) {
      stage.repository.bundle = bundleFor(...addresses);
      stage.repository.publish(...all);
      const asked = `targets/${sha256(stage.repository.bundle)}.bundle.json`;
      for (const _ of [1, 2]) expect(await stage.download(mode)).toBe(0);
      expect(stage.repository.asked.filter((path) => path === asked)).toHaveLength(1);
      expect(sha256(readFileSync(stage.path("bundle.json")))).toBe(sha256(stage.repository.bundle));
    }
  });

  test.each([
    ["that lacks a version", (text: string) => text.replace(/"version":1/, '"other":1')],
    ["that is not signed", flipSignature],
  ])("after an initial root %s nothing is asked for", async (_, edit) => {
    alter(stage.repository, "metadata/1.root.json", edit);
    await stage.init(mode);
    expect(await stage.refresh(mode)).toBe(1);
    expect(stage.repository.asked).toEqual([]);
  });

  test("expired metadata on disk is a base for fresh metadata", async () => {
    await stage.init(mode);
    const at = (days: number): string =>
      `${new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 19)}Z`;
    stage.repository.roles.timestamp.expires = at(5);
    stage.repository.publish();
    expect(await stage.refresh(mode)).toBe(0);
    stage.repository.roles.timestamp.expires = at(21);
    stage.repository.roles.snapshot.expires = at(28);
    stage.repository.publish(...all);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 18 * 86_400_000 });
    expect(await stage.refresh(mode)).toBe(0);
    expect(stage.believed()).toEqual({ root: 1, timestamp: 2, snapshot: 2, targets: 2 });
  });
});

/** A rotation: what a root may change, and the versions that are believed after it. */
const rotations: readonly (readonly [string, (r: Repository) => void, object])[] = [
  [
    "three roots at once, each with keys of its own",
    (r) => {
      for (const _ of [1, 2, 3]) {
        r.roles.root.keys = [newKey(), newKey(), newKey()];
        r.roles.root.threshold = 2;
        r.publishRoot();
      }
    },
    { root: 4 },
  ],
  [
    "a lower threshold of root",
    (r) => {
      r.roles.root.keys = [newKey(), newKey()];
      r.roles.root.threshold = 2;
      r.publishRoot();
      r.roles.root.threshold = 1;
      r.publishRoot();
    },
    { root: 3 },
  ],
  ...all.map(
    (role) =>
      [
        `a new key of ${role}`,
        (r: Repository) => {
          r.roles[role].keys = [newKey()];
          r.publishRoot();
          r.publish(...all);
        },
        { root: 2, [role]: 2 },
      ] as const,
  ),
  [
    "a snapshot with a threshold of three among four keys",
    (r) => {
      r.roles.snapshot.keys = [newKey(), newKey(), newKey(), newKey()];
      r.roles.snapshot.threshold = 3;
      r.publishRoot();
      r.roles.snapshot.signers = r.roles.snapshot.keys.slice(1);
      r.publish(...all);
    },
    { root: 2, snapshot: 2 },
  ],
];

describe.each(modes)("%s follows", (mode) => {
  test.each(rotations)("%s", async (_, rotate, versions) => {
    await stage.init(mode);
    expect(await stage.refresh(mode)).toBe(0);
    rotate(stage.repository);
    expect([await stage.refresh(mode), ...stage.said]).toEqual([0]);
    expect(stage.believed()).toMatchObject(versions);
  });

  test.each([
    ["timestamp", ["timestamp"], ["timestamp"]],
    ["snapshot", ["snapshot", "timestamp"], ["snapshot", "timestamp"]],
    ["targets", ["snapshot"], ["targets"]],
  ] as const)(
    "a %s that was sent far ahead, once its keys are rotated",
    async (_, rotated, reset) => {
      await stage.init(mode);
      for (const role of reset) stage.repository.roles[role].version = 99_999;
      stage.repository.publish();
      expect(await stage.refresh(mode)).toBe(0);
      for (const role of rotated) stage.repository.roles[role].keys = [newKey()];
      for (const role of reset) stage.repository.roles[role].version = 0;
      stage.repository.publishRoot();
      stage.repository.publish(...all);
      expect([await stage.refresh(mode), ...stage.said]).toEqual([0]);
      for (const role of reset) expect(stage.believed()[role]).toBe(1);
    },
  );
});
