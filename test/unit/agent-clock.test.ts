import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openLeaseClock, signedAfter } from "#agent/disk/clock.ts";
import { parseGuard, policyOf } from "#agent/guard/index.ts";

let directory: string;
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), "portcullis-clock-"))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const at = (wall: number, boot: number, bootId = "one") => ({
  wall: () => wall,
  boot: () => boot,
  bootId,
});

test("a wall clock turned back does not make a lease last longer, before or after a restart", () => {
  openLeaseClock(directory, at(1_000_000, 5_000)).anchor(0);
  expect(openLeaseClock(directory, at(1, 65_000)).now()).toBe(1_060_000);
  expect(openLeaseClock(directory, at(1_090_000, 65_000)).now()).toBe(1_090_000);
});

test("a machine that boots with a dead clock counts on from the lease it took", () => {
  openLeaseClock(directory, at(1_000_000, 5_000)).anchor(0);
  expect(openLeaseClock(directory, at(0, 7_000, "two")).now()).toBe(1_007_000);
});

const day = 86_400_000;
const years = 80 * 365 * day;

test("a wall clock within a week ahead is believed, and one further ahead is not, by any reader", () => {
  openLeaseClock(directory, at(1_000_000, 5_000)).anchor(0);
  const near = openLeaseClock(directory, at(1_000_000 + 7 * day, 5_000));
  expect([near.now(), near.wall()]).toEqual([1_000_000 + 7 * day, 1_000_000 + 7 * day]);
  const far = openLeaseClock(directory, at(1_000_000 + years, 65_000));
  expect([far.now(), far.wall()]).toEqual([1_060_000, 1_060_000]);
});

test("a lease taken under a clock that is not believed counts from the uptime, and one jump to the last date passes", () => {
  openLeaseClock(directory, at(1_000_000, 5_000)).anchor(0);
  openLeaseClock(directory, at(Number.MAX_SAFE_INTEGER, 65_000)).anchor(0);
  expect(openLeaseClock(directory, at(1_090_000, 95_000)).now()).toBe(1_090_000);
});

test("after a boot the leases do not age by a clock far ahead, but it is signed by: the machine may have been off", () => {
  openLeaseClock(directory, at(1_000_000, 5_000)).anchor(0);
  const booted = openLeaseClock(directory, at(1_000_000 + 30 * day, 7_000, "two"));
  expect([booted.now(), booted.wall()]).toEqual([1_007_000, 1_000_000 + 30 * day]);
});

test("a signed time moves this host's clock nowhere, before or after a restart", () => {
  const leaseEndsAt = Date.parse("2030-01-10T00:00:00Z");
  const earliest = (issued: string): number => signedAfter({ leaseEndsAt, custom: { issued } });
  openLeaseClock(directory, at(1_000_000, 5_000)).anchor(earliest("2029-01-01T00:00:00Z"));
  expect(openLeaseClock(directory, at(1_060_000, 65_000)).now()).toBe(1_060_000);
  expect(earliest("2030-01-09T00:00:00Z")).toBe(leaseEndsAt - day);
});

test("a signed time far ahead that an earlier version wrote down is forgotten", () => {
  const wall = Date.parse("9999-12-24T00:00:00Z");
  writeFileSync(
    join(directory, "clock.json"),
    JSON.stringify({ wall, boot: 5_000, boot_id: "one" }),
  );
  expect(openLeaseClock(directory, at(1_000_000, 65_000)).now()).toBe(1_000_000);
});

test("a clock far ahead is told once for each time it happens", () => {
  let wall = 1_000_000;
  const clock = openLeaseClock(directory, { wall: () => wall, boot: () => 5_000, bootId: "one" });
  clock.anchor(0);
  const told = [0, years, years, 0, years].map((ahead) => {
    wall = 1_000_000 + ahead;
    return clock.takeAlarm()?.code;
  });
  expect(told).toEqual([undefined, "clock_ahead", undefined, undefined, "clock_ahead"]);
});

test("a torn file leaves the wall clock", () => {
  writeFileSync(join(directory, "clock.json"), "{");
  expect(openLeaseClock(directory, at(1_000_000, 5_000)).now()).toBe(1_000_000);
});

test("the grace of a fleet is spread over a fifth of it, and each host's is always the same", () => {
  const { guard } = parseGuard("management: { interfaces: [eth0] }\n");
  const hours = Array.from(
    { length: 200 },
    (_, i) => policyOf(guard, `key ${i}`).graceMs / 3_600_000,
  );
  expect(Math.min(...hours)).toBeGreaterThanOrEqual(64.8);
  expect(Math.max(...hours)).toBeLessThanOrEqual(79.2);
  expect(Math.max(...hours) - Math.min(...hours)).toBeGreaterThan(12);
  expect(policyOf(guard, "key 7").graceMs / 3_600_000).toBe(hours[7]);
});
