/** The minute's maintenance: what cannot be done for one rollout or one host is told, and keeps nothing else from its turn. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { RolloutRequest } from "#schema/rollout.ts";
import { maintain } from "#worker/maintenance/maintain.ts";
import { readRollout } from "#worker/rollouts/read.ts";
import { startRollout } from "#worker/rollouts/start.ts";
import { commit } from "#worker/commits/commit.ts";
import { makeRootKey } from "#cli/root/name.ts";
import {
  type Ceremony,
  host,
  installRoot,
  openPlane,
  overlay,
  type Plane,
} from "#test/support/plane.ts";

const hours = 3_600_000;

let plane: Plane;
let first: Ceremony;
const logged: string[] = [];
beforeEach(async () => {
  plane = await openPlane();
  await plane.commit(host("a"), host("b"), host("c"));
  first = await installRoot(plane);
  vi.spyOn(console, "error").mockImplementation((line: string) => void logged.push(line));
});
afterEach(async () => {
  vi.restoreAllMocks();
  logged.length = 0;
  await plane.close();
});

const run = (sql: string) => plane.ports.sql.prepare(sql).run();
const leases = async () => {
  const { results } = await plane.ports.sql
    .prepare("SELECT host, lease_expires_at FROM repository ORDER BY host")
    .all<{ readonly host: string; readonly lease_expires_at: number }>();
  return results.map(({ host: name, lease_expires_at }) => [
    name,
    lease_expires_at > plane.ports.clock.now() + 23 * hours,
  ]);
};

test("a rollout that cannot be read stops neither another rollout nor the leases, and is told by its number", async () => {
  await run(
    "INSERT INTO rollout (id, revision, at, by, note, strategy, gates, emergency, waves_sha256, status, reason, phase, wave) VALUES (1, 1, 0, 'somebody', '', '{\"kind\":\"unheard-of\"}', '{}', 0, printf('%064d', 0), 'running', '', 'widen', 1)",
  );
  const staged = {
    message: "m",
    source: "api",
    release: "staged" as const,
    changes: [overlay("vpn", "a")],
  };
  expect(await commit(plane.ports, "test", staged)).toMatchObject({ ok: true });
  const { id } = await startRollout(plane.ports, "test", RolloutRequest.parse({ note: "n" }));
  plane.advance(23 * hours);
  await expect(maintain(plane.ports)).rejects.toThrow("rollout 1");
  expect(await leases()).toEqual([
    ["a", true],
    ["b", true],
    ["c", true],
  ]);
  // Nobody answered in a day: that was seen, so the second rollout had its turn.
  expect(await readRollout(plane.ports.sql, id)).not.toMatchObject({ status: "running" });
  expect(logged).toEqual([expect.stringContaining("rollout 1")]);
});

test("a host whose metadata cannot be read keeps no other host from its lease", async () => {
  await run(
    "UPDATE repository SET targets = '{}', seq = seq + 1, timestamp_version = timestamp_version + 1, lease_expires_at = 0 WHERE host = 'b'",
  );
  plane.advance(23 * hours);
  await expect(maintain(plane.ports)).rejects.toThrow("the lease of host b");
  expect(await leases()).toEqual([
    ["a", true],
    ["b", false],
    ["c", true],
  ]);
  expect(logged).toEqual([expect.stringContaining("the lease of host b")]);
});

test("a host whose targets cannot be read keeps no other host's from being signed again by operators", async () => {
  const [anna, ben] = [makeRootKey(), makeRootKey()];
  await installRoot(plane, 2, first, { keys: [anna.key, ben.key], threshold: 2 });
  await run(
    "UPDATE repository SET targets = '{\"signatures\":[]}', seq = seq + 1, timestamp_version = timestamp_version + 1 WHERE host = 'a'",
  );
  await expect(maintain(plane.ports)).rejects.toThrow("what host a needs signed");
  const { results } = await plane.ports.sql.prepare("SELECT host FROM pending ORDER BY host").all();
  expect(results).toEqual([{ host: "b" }, { host: "c" }]);
});

test("a store that fails is told for each part, and the next minute does all of it", async () => {
  plane.advance(23 * hours);
  plane.fail(new Error("no disk"));
  await expect(maintain(plane.ports)).rejects.toThrow("maintenance failed in part");
  expect(logged.length).toBeGreaterThan(1);
  expect(logged.every((line) => line.includes("no disk"))).toBe(true);
  plane.fail(undefined);
  await maintain(plane.ports);
  expect((await leases()).every(([, renewed]) => renewed)).toBe(true);
});
