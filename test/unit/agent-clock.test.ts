import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openLeaseClock } from "#agent/clock.ts";
import { parseGuard, policyOf } from "#agent/guard/index.ts";

let directory: string;
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), "portcullis-clock-"))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const at = (wall: number, boot: number, bootId = "one") => ({ wall: () => wall, boot: () => boot, bootId });

test("a wall clock turned back does not make a lease last longer, before or after a restart", () => {
  openLeaseClock(directory, at(1_000_000, 5_000)).anchor();
  expect(openLeaseClock(directory, at(1, 65_000)).now()).toBe(1_060_000);
  expect(openLeaseClock(directory, at(1_090_000, 65_000)).now()).toBe(1_090_000);
});

test("a machine that boots with a dead clock counts on from the lease it took", () => {
  openLeaseClock(directory, at(1_000_000, 5_000)).anchor();
  expect(openLeaseClock(directory, at(0, 7_000, "two")).now()).toBe(1_007_000);
});

test("a torn file leaves the wall clock", () => {
  writeFileSync(join(directory, "clock.json"), "{");
  expect(openLeaseClock(directory, at(1_000_000, 5_000)).now()).toBe(1_000_000);
});

test("the grace of a fleet is spread over a fifth of it, and each host's is always the same", () => {
  const { guard } = parseGuard("management: { interfaces: [eth0] }\n");
  const hours = Array.from({ length: 200 }, (_, i) => policyOf(guard, `key ${i}`).graceMs / 3_600_000);
  expect(Math.min(...hours)).toBeGreaterThanOrEqual(64.8);
  expect(Math.max(...hours)).toBeLessThanOrEqual(79.2);
  expect(Math.max(...hours) - Math.min(...hours)).toBeGreaterThan(12);
  expect(policyOf(guard, "key 7").graceMs / 3_600_000).toBe(hours[7]);
});
