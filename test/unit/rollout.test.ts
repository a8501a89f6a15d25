import { describe, expect, test } from "vitest";
import { step, wavesDigest } from "#core/rollout/index.ts";
import {
  Driven,
  gatesOf,
  hostNames,
  newest,
  plain,
  start,
  wavesOf,
} from "#test/support/rollout.ts";

const hour = 3600;

describe("waves", () => {
  test("the canary wave is one host of each role and one without, and percentages are of all hosts", () => {
    const hosts = hostNames(100).map((host, i) => ({
      ...plain(host),
      roles: [["web"], ["db"], []][i % 3] ?? [],
    }));
    const waves = wavesOf(hosts);
    const roles = (waves[0] ?? []).map(
      (host) => hosts.find((known) => known.host === host)?.roles[0],
    );
    expect(new Set(roles)).toEqual(new Set(["web", "db", undefined]));
    expect(waves.map((wave) => wave.length)).toEqual([3, 2, 20, 25, 50]);
  });

  test("a role's two hosts never go together, and its only host goes", () => {
    const hosts = ["a", "b", "c"].map((host) => ({
      ...plain(host),
      roles: host === "c" ? ["only"] : ["pair"],
    }));
    const waves = wavesOf(hosts, { kind: "labels", waves: [{ env: "none" }] });
    expect(waves).toHaveLength(2);
    expect(waves.filter((wave) => wave.includes("a") && wave.includes("b"))).toEqual([]);
  });

  test("labels: a host goes with the first wave all of whose labels it has, and hosts of none go last", () => {
    const labelled = (host: string, labels: Record<string, string>) => ({ ...plain(host), labels });
    const hosts = [
      labelled("both", { env: "test", site: "x" }),
      labelled("site", { site: "x" }),
      labelled("none", {}),
    ];
    const waves = wavesOf(hosts, {
      kind: "labels",
      waves: [{ env: "test", site: "x" }, { site: "x" }],
    });
    expect(waves).toEqual([["both"], ["site"], ["none"]]);
  });

  test("the digest tells other lists, another order, and the phases apart", () => {
    const digests = [
      { narrow: [], widen: [["a"], ["b"]] },
      { narrow: [], widen: [["b"], ["a"]] },
      { narrow: [], widen: [["a", "b"]] },
      { narrow: [["a"], ["b"]], widen: [] },
    ].map(wavesDigest);
    expect(new Set(digests).size).toBe(4);
  });
});

describe("a rollout", () => {
  test("goes wave by wave, each after the commits and the bake of the one before, and completes", () => {
    const driven = new Driven();
    expect(driven.tick()).toEqual([{ kind: "assign", phase: "widen", hosts: ["a"] }]);
    driven.commitAll();
    expect(driven.tick(599)).toEqual([]);
    expect(driven.tick(1)).toEqual([{ kind: "assign", phase: "widen", hosts: ["b", "c"] }]);
    driven.commitAll();
    expect(driven.tick(600)).toEqual([
      { kind: "assign", phase: "widen", hosts: ["d", "e", "f", "g"] },
    ]);
    driven.commitAll();
    driven.tick(600);
    expect(driven.state.status).toBe("completed");
  });

  test("halts at once when a canary takes itself back, and gives old content to those that had the new one", () => {
    const driven = new Driven({ plan: { narrow: [], widen: [["a", "b"], ["c"]] } });
    driven.tick();
    expect(driven.hear(driven.commit("a"), driven.revert("b"))).toEqual([
      { kind: "restore", hosts: ["a", "b"] },
    ]);
    expect(driven.state.status).toBe("rolled_back");
    expect(driven.state.reason).toContain("b (took itself back from seq 2)");
    expect([driven.standingOf("a"), driven.standingOf("b"), driven.standingOf("c")]).toEqual([
      "rolled_back",
      "reverted",
      "pending",
    ]);
  });

  test("without auto_rollback it halts and leaves hosts as they are", () => {
    const driven = new Driven({ gates: gatesOf({ auto_rollback: false }) });
    driven.tick();
    expect(driven.hear(driven.revert("a"))).toEqual([]);
    expect(driven.state.status).toBe("halted");
    expect(driven.tick(hour)).toEqual([]);
  });

  test("resumes after a rollback from its first wave, and tries the host that took itself back again", () => {
    const driven = new Driven({ plan: { narrow: [], widen: [["a", "b"], ["c"]] } });
    driven.tick();
    driven.hear(driven.commit("a"), driven.revert("b"));
    driven.say("resume");
    expect(driven.tick()).toEqual([{ kind: "assign", phase: "widen", hosts: ["a", "b"] }]);
    expect(driven.seq("b")).toBe(4);
    driven.commitAll();
    expect(driven.tick(600)).toEqual([{ kind: "assign", phase: "widen", hosts: ["c"] }]);
  });

  test("skips the hosts in its way, which have their old content, and goes on", () => {
    const driven = new Driven({
      plan: { narrow: [], widen: [["a", "b"], ["c"]] },
      gates: gatesOf({ auto_rollback: false }),
    });
    driven.tick();
    driven.hear(driven.commit("a"), driven.revert("b"));
    expect(driven.say("skip", "b is broken anyway")).toEqual([{ kind: "restore", hosts: ["b"] }]);
    expect(driven.standingOf("b")).toBe("skipped");
    expect(driven.tick(600)).toEqual([{ kind: "assign", phase: "widen", hosts: ["c"] }]);
  });

  test("a host that says nothing has failed, or is unknown if it was silent before", () => {
    const driven = new Driven({ plan: { narrow: [], widen: [["a"], ["b"]] } });
    driven.heard.set("a", start - 3 * hour * 1000);
    driven.tick();
    driven.tick(900);
    expect([driven.standingOf("a"), driven.state.status]).toEqual(["unknown", "paused"]);
    const other = new Driven();
    other.tick();
    other.tick(900);
    expect([other.standingOf("a"), other.state.status]).toEqual(["failed", "rolled_back"]);
  });

  test("a pause for want of evidence ends when the host commits late; a person's pause does not", () => {
    const late = () => {
      const driven = new Driven({ plan: { narrow: [], widen: [["a"], ["b"]] } });
      driven.heard.set("a", start - 3 * hour * 1000);
      driven.tick();
      driven.tick(900);
      return driven;
    };
    const driven = late();
    driven.hear(driven.commit("a"));
    expect(driven.tick(600)).toEqual([{ kind: "assign", phase: "widen", hosts: ["b"] }]);
    const held = late();
    held.say("pause");
    held.hear(held.commit("a"));
    expect(held.tick(600)).toEqual([]);
    expect(held.state.status).toBe("paused");
  });

  test.each([
    ["drift", { drift: 1 }],
    ["a suspected clone", { suspectedClone: true }],
    ["drops far above its own rate before", { denyRate: 20 }],
    ["closing itself", { state: "closed" as const }],
    ["its state lost", { state: "degraded" as const }],
    ["a report before and none for two hours", { receivedAt: start + 60_000 }],
  ])("halts on a canary that committed, within the bake, on %s", (_, over) => {
    const driven = new Driven({ gates: gatesOf({ bake_seconds: 5 * hour }) });
    driven.tick();
    driven.now += 10_000;
    driven.commitAll();
    expect(driven.state.status).toBe("running");
    driven.now += 2 * hour * 1000 + 60_000;
    driven.hear(driven.commit("a", over));
    expect([driven.standingOf("a"), driven.state.status]).toEqual(["failed", "rolled_back"]);
  });

  test("drops below noise, or without a baseline, are no breach, and it says what it does not know", () => {
    const driven = new Driven();
    driven.tick();
    driven.commitAll({ denyRate: 9 });
    expect(driven.state.entries[0]).toMatchObject({ standing: "committed", detail: "" });
    const blind = new Driven();
    blind.tick();
    blind.commitAll({ denyRate: null });
    expect(blind.state.entries[0]).toMatchObject({
      standing: "committed",
      detail: "its drops are not known",
    });
  });

  test("a refusal of what was published fails; a control plane that was not reached does not", () => {
    for (const [refusal, status] of [
      ["guard_refused", "rolled_back"],
      ["unreachable", "running"],
    ] as const) {
      const driven = new Driven();
      driven.tick();
      driven.hear(newest("a", { refusal }));
      expect(driven.state.status).toBe(status);
    }
  });

  test("reports from before the assignment, or older than what settled it, change nothing", () => {
    const driven = new Driven();
    driven.tick();
    driven.hear({ ...driven.revert("a"), receivedAt: start - 1 });
    expect(driven.standingOf("a")).toBe("assigned");
    driven.now += 60_000;
    const old = driven.revert("a");
    driven.now += 60_000;
    driven.commitAll();
    driven.hear(old);
    expect(driven.standingOf("a")).toBe("committed");
  });

  test("the newest of several reports of a host decides", () => {
    const driven = new Driven();
    driven.tick();
    driven.now += 60_000;
    driven.hear({ ...driven.revert("a"), receivedAt: start + 1 }, driven.commit("a"));
    expect(driven.standingOf("a")).toBe("committed");
  });

  test("one failure in a hundred halts the canary wave and not a later one", () => {
    const wave = hostNames(100);
    const fail = (driven: Driven) =>
      driven.hear(...wave.map((h) => (h === "h7" ? driven.revert(h) : driven.commit(h))));
    const canary = new Driven({ plan: { narrow: [], widen: [wave, ["x"]] } });
    canary.tick();
    fail(canary);
    expect(canary.state.status).toBe("rolled_back");
    const later = new Driven({ plan: { narrow: [], widen: [["x"], wave] } });
    later.tick();
    later.commitAll();
    later.tick(600);
    fail(later);
    expect(later.state.status).toBe("running");
  });

  test.each([
    [
      "too many do not answer, although enough committed",
      { min_committed_percent: 50 },
      "2 of 10 hosts do not answer",
    ],
    [
      "too few committed, although as many may be unknown",
      { max_unknown_percent: 40 },
      "8 of 10 hosts committed",
    ],
  ])("pauses when %s", (_, over, reason) => {
    const wave = hostNames(10);
    const driven = new Driven({ plan: { narrow: [], widen: [["x"], wave] }, gates: gatesOf(over) });
    for (const host of ["h0", "h1"]) driven.heard.set(host, start - 3 * hour * 1000);
    driven.tick();
    driven.commitAll();
    driven.tick(600);
    driven.hear(...wave.slice(2).map((host) => driven.commit(host)));
    driven.tick(900);
    expect(driven.state).toMatchObject({ status: "paused", reason: `waits: ${reason}` });
  });

  test("evidence ends the pauses that it made and no person's, whatever the sentence says", () => {
    const driven = new Driven();
    const paused = { ...driven.state, status: "paused", reason: "waits: for lunch" } as const;
    const ticked = (pausedBy: "evidence" | "person"): unknown => {
      const done = step({ ...paused, pausedBy }, { kind: "tick" }, start);
      return "state" in done ? done.state.status : done.refused;
    };
    expect(ticked("person")).toBe("paused");
    expect(ticked("evidence")).toBe("running");
  });

  test("a host that its bundle closes has committed", () => {
    const driven = new Driven();
    driven.tick();
    driven.commitAll({ state: "closed", appliedMode: "closed" });
    expect(driven.standingOf("a")).toBe("committed");
  });

  test("a host that held these bytes since before needs no new report", () => {
    const driven = new Driven();
    driven.tick();
    driven.hear(driven.commit("a", { receivedAt: start - hour * 1000 }));
    expect(driven.standingOf("a")).toBe("committed");
  });

  test("gives at most 500 hosts something in a step, and takes back from as many", () => {
    const driven = new Driven({ plan: { narrow: [], widen: [hostNames(1100)] } });
    const sizes = [0, 60, 60, 60].map(
      (later) => driven.tick(later).flatMap((e) => (e.kind === "assign" ? e.hosts : [])).length,
    );
    expect(sizes).toEqual([500, 500, 100, 0]);
    const back = [driven.say("rollback"), driven.tick(), driven.tick(), driven.tick()];
    expect(
      back.map((effects) => effects.flatMap((e) => (e.kind === "restore" ? e.hosts : [])).length),
    ).toEqual([500, 500, 100, 0]);
    expect(driven.state.status).toBe("rolled_back");
  });

  test("an emergency waits for two different people, then goes to all at once without a bake", () => {
    const driven = new Driven({ emergency: true, plan: { narrow: [], widen: [["a", "b"]] } });
    expect(driven.tick(hour)).toEqual([]);
    driven.do({ kind: "approve", by: "alice" });
    expect(driven.refused).toBe("somebody else must approve it");
    expect(driven.do({ kind: "approve", by: "bob" })).toEqual([
      { kind: "assign", phase: "widen", hosts: ["a", "b"] },
    ]);
    driven.commitAll();
    expect(driven.state.status).toBe("completed");
  });

  test("a halt before the second approval does not replace it", () => {
    const driven = new Driven({ emergency: true });
    driven.say("halt");
    driven.say("resume");
    expect(driven.state.status).toBe("awaiting_approval");
  });
});

describe("a release of two phases", () => {
  const plan = { narrow: [["a"], ["b"]], widen: [["c"], ["a"]] };

  test("gives nothing before every host has lost what it must, and names the one that has not", () => {
    const driven = new Driven({ plan });
    driven.heard.set("b", start - 3 * hour * 1000);
    driven.tick();
    driven.commitAll();
    driven.tick(600);
    driven.tick(900);
    expect([driven.state.status, driven.given("widen").size]).toEqual(["paused", 0]);
    driven.hear(driven.commit("b"));
    expect(driven.tick(600)).toEqual([{ kind: "assign", phase: "widen", hosts: ["c"] }]);
  });

  test("a wave that may miss some hosts is left, but the second phase waits for them by name, or is forced", () => {
    const narrow = [["x"], hostNames(40)];
    const driven = new Driven({ plan: { narrow, widen: [["x"]] } });
    driven.heard.set("h7", start - 3 * hour * 1000);
    driven.tick();
    driven.commitAll();
    driven.tick(600);
    driven.hear(
      ...driven
        .standing("assigned")
        .filter((host) => host !== "h7")
        .map((host) => driven.commit(host)),
    );
    driven.tick(900);
    driven.tick(600);
    expect(driven.state).toMatchObject({ status: "paused", phase: "narrow" });
    expect(driven.state.reason).toContain("h7 did not lose yet");
    driven.say("skip");
    expect(driven.refused).toBeDefined();
    driven.say("force", "h7 is scrapped");
    expect(driven.tick()).toEqual([{ kind: "assign", phase: "widen", hosts: ["x"] }]);
  });

  test("a host that a newer rollout took before it lost something is waited for until forced", () => {
    const driven = new Driven({ plan });
    driven.tick();
    driven.commitAll();
    driven.do({ kind: "supersede", by: 2, hosts: ["b"] });
    driven.tick(600);
    expect(driven.state).toMatchObject({ status: "paused", phase: "narrow" });
    driven.say("force");
    expect(driven.tick()).toEqual([{ kind: "assign", phase: "widen", hosts: ["c"] }]);
  });

  test("hosts that only lose something are released at the end", () => {
    const driven = new Driven({ plan });
    for (let i = 0; i < 4; i += 1) {
      driven.tick(600);
      driven.commitAll();
    }
    expect(driven.tick(600)).toEqual([{ kind: "release", hosts: ["b"] }]);
    expect(driven.state.status).toBe("completed");
  });
});

describe("a newer rollout", () => {
  test("takes over what is not finished, and an older one without open hosts is superseded", () => {
    const driven = new Driven();
    driven.tick();
    driven.commitAll();
    driven.tick(600);
    driven.do({ kind: "supersede", by: 2, hosts: ["a", "c", "d", "e"] });
    expect(driven.state.status).toBe("running");
    expect([driven.standingOf("a"), driven.standingOf("c")]).toEqual(["committed", "superseded"]);
    driven.do({ kind: "supersede", by: 3, hosts: ["b", "f", "g"] });
    expect(driven.state).toMatchObject({ status: "superseded", reason: "superseded by rollout 3" });
    expect(driven.tick(hour)).toEqual([]);
  });
});
