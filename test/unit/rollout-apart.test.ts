/** Hosts whose answer says nothing about a revision: ill since before it, or adopting and so enforcing nothing. */
import { expect, test } from "vitest";
import type { Evidence } from "#core/rollout/index.ts";
import { Driven, gatesOf, newest, plain, wavesOf } from "#test/support/rollout.ts";

/** A host in hold with the reverts of before: it has seen what was assigned, and tried nothing since. */
const inHold = (driven: Driven, host: string, over: Partial<Evidence> = {}): Evidence =>
  newest(host, {
    receivedAt: driven.now,
    state: "hold",
    appliedSeq: 1,
    seenSeq: driven.seq(host),
    revertedSeq: 1,
    ...over,
  });

const adopting = (driven: Driven, host: string): Evidence =>
  newest(host, {
    receivedAt: driven.now,
    state: "adopting",
    appliedSeq: null,
    seenSeq: driven.seq(host),
  });

test("an emergency is not taken back for a host in hold that never tried it", () => {
  const driven = new Driven({ plan: { narrow: [], widen: [["a", "b", "c"]] }, emergency: true });
  driven.do({ kind: "approve", by: "bob" });
  driven.hear(inHold(driven, "b"), driven.commit("a"), driven.commit("c"));
  expect(driven.standingOf("b")).toBe("apart");
  driven.tick(1);
  expect(driven.state.status).toBe("completed");
});

test("a host in hold that took itself back from this very seq has reverted", () => {
  const driven = new Driven({ plan: { narrow: [], widen: [["a", "b"], ["c"]] } });
  driven.tick();
  driven.hear(driven.commit("a"), inHold(driven, "b", { revertedSeq: driven.seq("b") }));
  expect(driven.standingOf("b")).toBe("reverted");
  expect(driven.state.status).toBe("rolled_back");
});

test.each(["closed", "degraded"] as const)(
  "a host that was %s before the assignment waits apart",
  (state) => {
    const driven = new Driven({ plan: { narrow: [], widen: [["a", "b"], ["c"]] } });
    driven.statesBefore.set("b", state);
    driven.tick();
    driven.hear(
      driven.commit("a"),
      newest("b", { receivedAt: driven.now, state, seenSeq: driven.seq("b") }),
    );
    expect(driven.standingOf("b")).toBe("apart");
    driven.tick(600);
    expect(driven.given("widen")).toContain("c");
  },
);

test.each(["closed", "degraded"] as const)(
  "a host that became %s after the assignment has failed",
  (state) => {
    const driven = new Driven({ plan: { narrow: [], widen: [["a", "b"], ["c"]] } });
    driven.tick();
    driven.hear(newest("b", { receivedAt: driven.now, state, seenSeq: driven.seq("b") }));
    expect(driven.standingOf("b")).toBe("failed");
  },
);

test("a host apart that does not answer in time stays apart, and one that recovers commits", () => {
  const driven = new Driven({ plan: { narrow: [], widen: [["a", "b"], ["c"]] } });
  driven.statesBefore.set("b", "hold");
  driven.tick();
  driven.hear(driven.commit("a"));
  driven.tick(gatesOf().timeout_seconds);
  expect(driven.standingOf("b")).toBe("apart");
  driven.hear(driven.commit("b"));
  expect(driven.standingOf("b")).toBe("committed");
});

test("hosts apart alone promote nothing", () => {
  const driven = new Driven({ plan: { narrow: [], widen: [["a"], ["b"]] } });
  driven.statesBefore.set("a", "hold");
  driven.tick();
  driven.hear(inHold(driven, "a"));
  driven.tick(600);
  expect(driven.state.status).toBe("paused");
  expect(driven.state.reason).toContain("in hold before");
  expect(driven.given("widen")).not.toContain("b");
});

test("a host that is adopting is shown the revision, and its wave goes on", () => {
  const driven = new Driven({ plan: { narrow: [], widen: [["a", "b"], ["c"]] } });
  driven.tick();
  driven.hear(driven.commit("a"), adopting(driven, "b"));
  expect(driven.standingOf("b")).toBe("shown");
  driven.tick(600);
  expect(driven.given("widen")).toContain("c");
});

test("a host that is adopting and answers nothing is unknown, never failed", () => {
  const driven = new Driven({ plan: { narrow: [], widen: [["a", "b"], ["c"]] } });
  driven.statesBefore.set("b", "adopting");
  driven.tick();
  driven.tick(gatesOf().timeout_seconds);
  expect(driven.standingOf("b")).toBe("unknown");
});

test("what an adopting host enforces nobody waits for: the second phase begins without it", () => {
  const driven = new Driven({ plan: { narrow: [["a", "b"]], widen: [["a"]] } });
  driven.tick();
  driven.hear(driven.commit("a"), adopting(driven, "b"));
  driven.tick(600);
  expect(driven.state.phase).toBe("widen");
});

test("the second phase waits for a host apart until a person goes on without it", () => {
  const driven = new Driven({ plan: { narrow: [["a", "b"]], widen: [["a"]] } });
  driven.tick();
  driven.hear(driven.commit("a"), inHold(driven, "b"));
  driven.tick(600);
  expect(driven.state).toMatchObject({ phase: "narrow", status: "paused" });
  driven.say("force");
  driven.tick(600);
  expect(driven.state.phase).toBe("widen");
});

test("hosts that enforce go before those that do not, and the start tells which those are", () => {
  const hosts = ["a", "b", "c", "d"].map((host) => ({ ...plain(host), enforces: host === "d" }));
  expect(wavesOf(hosts)[0]).toEqual(["d"]);
  const { state } = new Driven({
    plan: { narrow: [], widen: [["a"], ["b", "c"]] },
    states: new Map([
      ["b", "adopting"],
      ["c", "hold"],
    ]),
  });
  expect(state.entries.map(({ host, detail }) => `${host} ${detail}`)).toEqual([
    "a ",
    "b adopting: it will count this and enforce nothing",
    "c in hold: it waits apart",
  ]);
});
