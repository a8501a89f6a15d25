/** What the lab takes for a host's verdict about what it was served: never that it was not reached. */
import { expect, test } from "vitest";
import { findRefusalSince } from "#lab/fleet/hosts.ts";
import { refusalCodes, refusalEntry } from "#schema/refusals.ts";

const since = new Date("2030-01-01T00:00:00Z");
const at = "2030-01-01T00:00:01Z";
const refusal = (code: (typeof refusalCodes)[number], when = at) => ({
  code,
  message: "",
  at: when,
});

test("a poll that failed on its way is no verdict about a bundle, and every other refusal is", () => {
  for (const code of refusalCodes)
    expect(findRefusalSince(refusal(code), since)).toBe(
      refusalEntry(code).class === "transport" ? undefined : code,
    );
  expect(findRefusalSince(refusal("unreachable"), since)).toBeUndefined();
});

test("a refusal of before counts for nothing", () => {
  expect(
    findRefusalSince(refusal("bundle_hash_mismatch", "2029-12-31T23:59:59Z"), since),
  ).toBeUndefined();
  expect(findRefusalSince(null, since)).toBeUndefined();
});
