import { expect, test } from "vitest";
import { computeNextPollMs, pollSeconds, retryAfterMs, spreadMs } from "#agent/transport/pace.ts";

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
  expect(computeNextPollMs(20, 0, 0)).toBe(16_000);
  expect(computeNextPollMs(20, 0, 1)).toBe(24_000);
});

test("failures back off to five minutes with full jitter, and never below five seconds", () => {
  expect(computeNextPollMs(20, 1, 1)).toBe(40_000);
  expect(computeNextPollMs(20, 3, 1)).toBe(160_000);
  expect(computeNextPollMs(20, 1000, 1)).toBe(300_000);
  expect(computeNextPollMs(20, 1000, 0.5)).toBe(150_000);
  expect(computeNextPollMs(20, 1000, 0)).toBe(5_000);
  expect(computeNextPollMs(900, 1, 1)).toBe(900_000);
});

test.each([
  [undefined, 0],
  ["0", 0],
  ["1", 1000],
  ["900", 900_000],
  ["86400", 900_000],
  ["-1", 0],
  ["Wed, 21 Oct 2026 07:28:00 GMT", 0],
  ["9999999999", 0],
])(
  "stays away as long as it is asked to, and never longer than a poll may wait: %s",
  (header, ms) => {
    expect(retryAfterMs(header)).toBe(ms);
  },
);

test("hosts that were sent away at once come back over a fifth of that time", () => {
  expect([0, 0.5, 1].map((random) => spreadMs(10_000, random))).toEqual([10_000, 11_000, 12_000]);
});
