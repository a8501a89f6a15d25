import { expect, test } from "vitest";
import { nextPollMs, pollSeconds } from "#agent/transport/pace.ts";

test.each([
  [undefined, 20],
  ["20", 20],
  ["1", 5],
  ["0", 5],
  ["900", 900],
  ["86400", 900],
  ["-5", 20],
  ["soon", 20],
  ["1e3", 20],
  ["9999999999", 20],
])("clamps the poll interval that the control plane asks for: %s is %d s", (header, seconds) => {
  expect(pollSeconds(header)).toBe(seconds);
});

test("a poll wanders by a fifth", () => {
  expect(nextPollMs(20, 0, 0)).toBe(16_000);
  expect(nextPollMs(20, 0, 1)).toBe(24_000);
});

test("failures back off to five minutes with full jitter, and never below five seconds", () => {
  expect(nextPollMs(20, 1, 1)).toBe(40_000);
  expect(nextPollMs(20, 3, 1)).toBe(160_000);
  expect(nextPollMs(20, 1000, 1)).toBe(300_000);
  expect(nextPollMs(20, 1000, 0.5)).toBe(150_000);
  expect(nextPollMs(20, 1000, 0)).toBe(5_000);
  expect(nextPollMs(900, 1, 1)).toBe(900_000);
});
