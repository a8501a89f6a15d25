/** What people read of a rollout, and what they say to start one: the same words for the same state, and nothing twice. */
import { describe, expect, test } from "vitest";
import { gatesOf, strategyOf } from "#cli/rollout/request.ts";
import { newsOf, listRolloutLines, rolloutTable } from "#cli/rollout/text.ts";
import { eventsOf } from "#cli/http/events.ts";
import { Gates, type RolloutView } from "#schema/rollout.ts";

const now = Date.parse("2027-01-02T00:10:00Z");
const started_at = "2027-01-02T00:00:00Z";

const running: RolloutView = {
  id: 7,
  revision: 42,
  status: "running",
  reason: "",
  emergency: false,
  strategy: { kind: "canary", percentages: [50, 100] },
  gates: Gates.parse({}),
  phase: "widen",
  wave: 1,
  waves_sha256: "0".repeat(64),
  waves: [
    { phase: "widen", n: 1, hosts: 2, tally: { assigned: 1, committed: 1 }, started_at },
    { phase: "widen", n: 2, hosts: 3, tally: { pending: 3 }, started_at: null },
  ],
  bakes_until: null,
  created_at: started_at,
  created_by: "token:ci",
  on_behalf_of: null,
  note: "open the shop",
  approved_by: ["token:ci"],
  superseded_by: null,
  attention: [{ host: "web1", standing: "assigned", detail: "" }],
};
const baking: RolloutView = {
  ...running,
  waves: [
    { phase: "widen", n: 1, hosts: 2, tally: { committed: 2 }, started_at },
    { phase: "widen", n: 2, hosts: 3, tally: { pending: 3 }, started_at: null },
  ],
  bakes_until: "2027-01-02T00:15:00Z",
  attention: [],
};
const stopped: RolloutView = {
  ...running,
  status: "rolled_back",
  reason: "1 of 2 hosts failed or took themselves back: web1 (took itself back from seq 4)",
  waves: [
    { phase: "widen", n: 1, hosts: 2, tally: { reverted: 1, rolled_back: 1 }, started_at },
    { phase: "widen", n: 2, hosts: 3, tally: { pending: 3 }, started_at: null },
  ],
  attention: [{ host: "web1", standing: "reverted", detail: "took itself back from seq 4" }],
};

describe("a rollout in full", () => {
  test("shows each wave by standing, and names what the rollout waits for", () => {
    expect(listRolloutLines(running, now)).toEqual([
      "rollout 7: revision 42, canary, by token:ci: open the shop",
      "running: wave 1 waits for 1 host",
      "PHASE  WAVE  HOSTS  PENDING  ASSIGNED  COMMITTED  REVERTED  FAILED  UNKNOWN  STARTED",
      "widen  1     2      0        1         1          0         0       0        10m ago",
      "widen  2     3      3        0         0          0         0       0        -",
      "ATTENTION  STANDING  WHY",
      "web1       assigned  -",
    ]);
  });

  test.each([
    [baking, "running: wave 1 bakes for another 5m"],
    [{ ...baking, bakes_until: started_at }, "running: wave 1 may be left"],
    [
      { ...running, status: "paused", reason: "pause by admin: lunch" },
      "paused: pause by admin: lunch",
    ],
    [{ ...running, status: "completed" }, "completed"],
    [{ ...running, status: "awaiting_approval" }, "awaits a second approval (token:ci approved)"],
    [stopped, `rolled back: ${stopped.reason}`],
  ] satisfies [RolloutView, string][])("says where it stands in one line: %#", (view, expected) => {
    expect(listRolloutLines(view, now)[1]).toBe(expected);
  });

  test("standings that did not occur take no room, and those that did have a column", () => {
    expect(listRolloutLines(stopped, now)[2]).toContain("ROLLED BACK");
    expect(listRolloutLines(running, now)[2]).not.toContain("ROLLED BACK");
  });

  test("whoever wrote a note, a terminal obeys none of it", () => {
    const [first] = listRolloutLines({ ...running, note: "\u001b[2Jx\ny" }, now);
    expect(first).toBe("rollout 7: revision 42, canary, by token:ci:  [2Jx y");
  });

  test("a list has one line for each", () => {
    expect(rolloutTable([running])).toEqual([
      "ID  REVISION  STATUS   STRATEGY  WAVE       HOSTS  STARTED               BY        NOTE",
      "7   42        running  canary    widen 1/2  5      2027-01-02T00:00:00Z  token:ci  open the shop",
    ]);
  });
});

describe("news", () => {
  test("begins with the whole, and then says only what changed", () => {
    expect(newsOf(undefined, running)).toEqual([
      "rollout 7: revision 42, canary, 2 waves of 5 hosts together",
      "wave 1 of 2 hosts: 1 assigned, 1 committed",
      "running",
    ]);
    expect(newsOf(running, running)).toEqual([]);
    expect(newsOf(running, baking)).toEqual(["wave 1 of 2 hosts: 2 committed"]);
    expect(newsOf(running, stopped)).toEqual([
      "wave 1 of 2 hosts: 1 reverted, 1 rolled back",
      "web1 reverted: took itself back from seq 4",
      `rolled back: ${stopped.reason}`,
    ]);
  });

  test("with two phases a wave is named with its phase", () => {
    const narrow = {
      phase: "narrow",
      n: 1,
      hosts: 1,
      tally: { committed: 1 },
      started_at,
    } as const;
    const both: RolloutView = { ...running, waves: [narrow, ...running.waves] };
    expect(newsOf(undefined, both)).toContain("narrow wave 1 of 1 host: 1 committed");
    expect(listRolloutLines(both, now)[1]).toBe("running: widen wave 1 waits for 1 host");
  });
});

describe("strategies and gates as people write them", () => {
  test.each([
    ["all", { kind: "all" }],
    ["canary", { kind: "canary", percentages: [5, 25, 50, 100] }],
    ["canary:10,100", { kind: "canary", percentages: [10, 100] }],
    [
      "labels:env=staging,env=prod+site=fra",
      { kind: "labels", waves: [{ env: "staging" }, { env: "prod", site: "fra" }] },
    ],
  ])("%s", (text, expected) => {
    expect(strategyOf("--strategy", text)).toEqual(expected);
  });

  test.each([
    "",
    "some",
    "all:1",
    "canary:",
    "canary:5",
    "canary:5,x",
    "labels",
    "labels:",
    "labels:a=b,",
    "labels:a",
  ])("%j is refused", (text) => {
    expect(() => strategyOf("--strategy", text)).toThrow(/--strategy is canary/);
  });

  test("only what was said is sent, in seconds and percent", () => {
    expect(gatesOf({ "no-auto-rollback": false })).toEqual({});
    expect(gatesOf({ bake: "2h", "max-failed": "0.5", "no-auto-rollback": true })).toEqual({
      bake_seconds: 7200,
      max_failed_percent: 0.5,
      auto_rollback: false,
    });
  });
});

test("events come whole however the bytes are cut, and a cut connection ends them", async () => {
  const bytes = new TextEncoder().encode(
    'retry: 1000\n\n: alive\n\nevent: rollout\nid: a\ndata: {"ü":1}\n\nid: b\ndata: 2\n\nid: c',
  );
  let at = 0;
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at < bytes.length) controller.enqueue(bytes.slice(at, (at += 3)));
      else controller.error(new Error("reset"));
    },
  });
  const events: unknown[] = [];
  for await (const event of eventsOf(stream)) events.push(event);
  expect(events).toEqual([
    { id: "a", data: '{"ü":1}' },
    { id: "b", data: "2" },
  ]);
});
