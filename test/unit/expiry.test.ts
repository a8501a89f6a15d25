/** When the end of signed metadata is told, in the agent's status as elsewhere. */
import { expect, test } from "vitest";
import { formatStatus, type Status } from "#agent/report/status.ts";
import { describeExpiry } from "#schema/expiry.ts";

const hour = 3_600_000;
const day = 24 * hour;

test.each<[string, number, number | null, RegExp | undefined]>([
  ["a root, 61 days ahead", 61 * day, null, undefined],
  ["a root, 7 days ahead", 7 * day, null, /in 7 days \(within 7\)/],
  ["operators' targets of 90 days, 59 days ahead", 59 * day, 90 * day, /within 60/],
  ["targets of 30 days, renewed at half of them", 15 * day, 30 * day, undefined],
  ["targets of 30 days that nobody renewed", 3 * day, 30 * day, /eighth of its life/],
  ["a lease of 24 hours, renewed at a quarter at the latest", 6 * hour, 24 * hour, undefined],
  ["a lease of 24 hours that nobody renewed", 2 * hour, 24 * hour, /eighth of its life/],
  ["what is over", 0, 24 * hour, /expired/],
])("%s", (_, left, life, expected) => {
  const warning = describeExpiry("it", left, life);
  if (expected === undefined) expect(warning).toBeUndefined();
  else expect(warning).toMatch(expected);
});

test("an agent's status names the roles that end soon, and no other", () => {
  const now = Date.parse("2026-11-20T12:00:00Z");
  const status: Status = {
    state: "steady",
    since: "2026-11-20T11:00:00Z",
    updated_at: "2026-11-20T12:00:00Z",
    host: "web1",
    fleet: "f1",
    url: "https://plane.example",
    applied: null,
    lease_ends_at: null,
    last_refusal: null,
    drift: null,
    foreign_drops: null,
    foreign_redirects: null,
    foreign_unlisted: null,
    flows_uncut: null,
    counting: null,
    held: null,
    listening: null,
    expires: [
      { role: "root", expires_at: "2026-12-01T12:00:00Z", life_seconds: null },
      { role: "targets", expires_at: "2026-12-10T12:00:00Z", life_seconds: 30 * 86_400 },
      { role: "timestamp", expires_at: "2026-11-20T13:00:00Z", life_seconds: 86_400 },
    ],
  };
  const lines = formatStatus(status, true, now)
    .split("\n")
    .filter((line) => line.startsWith("expiry"));
  expect(lines).toEqual([
    expect.stringMatching(/^expiry +root \(2026-12-01T12:00:00Z\) expires in 11 days/),
    expect.stringMatching(/^expiry +timestamp .* eighth of its life/),
  ]);
});
