/** What a list of hosts says of each: the agent's own word, and what deserves a person's attention. */
import { describe, expect, test } from "vitest";
import { makeHostStatusView } from "#worker/overview/view.ts";
import type { HostStatusRow } from "#worker/hosts/status-rows.ts";

const now = Date.parse("2026-11-20T12:00:00Z");
const hour = 3_600_000;
const minute = 60_000;
const at = { pollSeconds: 30, now };
const steady: HostStatusRow = {
  host: "web1",
  seq: 4,
  revision: 9,
  bundle_sha256: "a".repeat(64),
  lease_issued_at: now - hour,
  lease_expires_at: now + hour,
  snapshot_expires_at: now + 240 * hour,
  targets_issued_at: now - 24 * hour,
  targets_expires_at: now + 29 * 24 * hour,
  enrolled_at: now - 30 * hour,
  revoked_at: null,
  suspected_at: null,
  last_report_at: now - hour,
  held_lease_expires_at: now + hour / 2,
  state: "steady",
  applied_seq: 4,
  applied_revision: 9,
  applied_bundle_sha256: "a".repeat(64),
  refusal: null,
  undeclared: 0,
  silent: 0,
  missing_addresses: null,
  pinned: null,
  withheld: 0,
};

describe("where a host stands", () => {
  test("is what its last report said, with nothing to warn of while all is well", () => {
    expect(makeHostStatusView(steady, now - 10_000, at)).toEqual({
      state: "steady",
      published: { seq: 4, revision: 9 },
      applied: { seq: 4, revision: 9 },
      contact: "polling",
      last_poll_at: "2026-11-20T11:59:50.000Z",
      last_report_at: "2026-11-20T11:00:00.000Z",
      lease_expires_at: "2026-11-20T13:00:00.000Z",
      held_lease_expires_at: "2026-11-20T12:30:00.000Z",
      warnings: [],
    });
  });

  test.each<readonly [string, Partial<HostStatusRow>, string, readonly string[]]>([
    ["has no key", { enrolled_at: null, state: null, last_report_at: null }, "unenrolled", []],
    ["lost its key", { revoked_at: now }, "unenrolled", ["revoked"]],
    [
      "never reported since it enrolled just now",
      { enrolled_at: now, state: null, last_report_at: null, applied_bundle_sha256: null },
      "unknown",
      ["behind"],
    ],
    [
      "says nothing for longer than two reports",
      { last_report_at: now - 2 * hour - 1 },
      "steady",
      ["silent"],
    ],
    ["refused what it was served", { refusal: "guard_refused" }, "steady", ["refused"]],
    ["listens beside its rules", { undeclared: 2 }, "steady", ["undeclared_listeners"]],
    ["lets in what does not answer", { silent: 1 }, "steady", ["silent_services"]],
    ["does not say what listens", { undeclared: null, silent: null }, "steady", []],
    [
      "lacks a declared address",
      { missing_addresses: '["192.0.2.1"]' },
      "steady",
      ["addresses_mismatch"],
    ],
    ["has every declared address", { missing_addresses: "[]" }, "steady", []],
    ["is kept where it is", { pinned: "migration" }, "steady", ["pinned"]],
    ["does not have all revisions", { withheld: 2 }, "steady", ["withheld"]],
    ["holds another bundle", { applied_bundle_sha256: "b".repeat(64) }, "steady", ["behind"]],
    ["has a lease that nobody renews", { lease_issued_at: now - 8 * hour }, "steady", ["expiring"]],
    [
      "has a snapshot near its end",
      { snapshot_expires_at: now + 40 * hour },
      "steady",
      ["expiring"],
    ],
    [
      "has targets of operators that end within 30 days",
      { targets_issued_at: now - 61 * 24 * hour },
      "steady",
      ["expiring"],
    ],
  ])("tells a person about a host that %s", (_, over, state, codes) => {
    const view = makeHostStatusView({ ...steady, ...over }, undefined, at);
    expect(view.state).toBe(state);
    expect(view.warnings.map(({ code }) => code)).toEqual(codes);
  });

  test.each([
    [5 * minute, "polling", []],
    [6 * minute, "late", ["late"]],
    [14 * minute, "late", ["late"]],
    [16 * minute, "silent", ["silent"]],
    [26 * hour, "silent", ["silent"]],
  ])(
    "of a host last seen %d ms ago is %s, however steady it said that it was",
    (ago, contact, codes) => {
      const view = makeHostStatusView({ ...steady, last_report_at: now - minute }, now - ago, at);
      expect(view).toMatchObject({ state: "steady", contact });
      expect(view.warnings.map(({ code }) => code)).toEqual(codes);
    },
  );

  test("gives a host that polls slowly as much longer", () => {
    const slow = { pollSeconds: 900, now };
    expect(makeHostStatusView(steady, now - 50 * minute, slow).contact).toBe("polling");
    expect(makeHostStatusView(steady, now - 60 * minute, slow).contact).toBe("late");
  });

  test("is unenrolled for a host that nothing is known of", () => {
    expect(makeHostStatusView(undefined, undefined, at)).toMatchObject({
      state: "unenrolled",
      published: null,
      warnings: [],
    });
  });
});
