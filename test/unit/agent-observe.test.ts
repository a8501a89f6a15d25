/** What the patrol takes for a touch of our table, and what it would load. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { DriftLog } from "#agent/observe/drift-log.ts";
import { guardReader } from "#agent/guard/index.ts";
import { openIntended } from "#agent/cycle/intended.ts";
import { type Generation, readMonitor } from "#agent/observe/monitor.ts";
import { programSha256 } from "#agent/disk/digest.ts";
import { Witness } from "#agent/backend/nft/witness.ts";
import { commitSlot, stageSlot } from "#agent/disk/slots.ts";
import { type Committed, noReverts, type State } from "#agent/machine/state.ts";
import { renderClosed } from "#core/render/index.ts";
import { Drift } from "#schema/wire.ts";
import { groupsRuleset, mustRender, testGuard } from "#test/support/rulesets.ts";

describe("the monitor's reader", () => {
  const read = (...lines: readonly string[]): readonly Generation[] => {
    const heard: Generation[] = [];
    const take = readMonitor((generation) => heard.push(generation));
    for (const line of lines) take(line);
    return heard;
  };

  it("keeps the lines about our table and who made them", () => {
    expect(
      read(
        "add rule inet theirs input accept",
        "delete element inet portcullis a4_x { 10.8.0.2 }",
        "# new generation 7 by process 42 (nft)",
        "add table ip portcullis",
        "# new generation 8 by process 43 (fail2ban)",
      ),
    ).toEqual([
      { pid: 42, by: "nft", lines: ["delete element inet portcullis a4_x { 10.8.0.2 }"] },
      { pid: 43, by: "fail2ban", lines: [] },
    ]);
  });

  it("takes a line that it cannot read for one about our table", () => {
    const [generation] = read(
      "W: Received event for an unknown set.",
      "# new generation 9 by process 1 (nft)",
    );
    expect(generation?.lines).toHaveLength(1);
  });

  it("keeps control characters of a process's name out of the log", () => {
    expect(read("# new generation 9 by process 1 (a\u001b[2Jb)")[0]?.by).toBe("a?[2Jb");
  });
});

describe("a witness", () => {
  it("knows our own processes by number, and forgets old ones", () => {
    const witness = new Witness();
    for (let pid = 1; pid <= 65; pid += 1) witness.noteStarted(pid);
    expect([1, 2, 65].map((pid) => witness.noteTransaction(pid, true))).toEqual([
      false,
      true,
      true,
    ]);
  });

  it("vouches for what is not listed only after it has heard us, and until the watch ends", () => {
    const witness = new Witness();
    witness.noteStarted(7);
    witness.begin();
    expect([witness.vouches(true), witness.vouches(false)]).toEqual([true, false]);
    witness.noteTransaction(7, true);
    witness.noteTransaction(8, false);
    expect(witness.vouches(false)).toBe(true);
    witness.noteUnwatched();
    expect(witness.vouches(false)).toBe(false);
  });

  it("vouches for nothing once others were at our table, until it is loaded whole", () => {
    const witness = new Witness();
    witness.noteStarted(7);
    witness.noteTransaction(7, true);
    witness.noteTransaction(8, true);
    witness.noteTransaction(7, true);
    expect([witness.vouches(true), witness.vouches(false)]).toEqual([false, false]);
    witness.begin();
    expect(witness.vouches(false)).toBe(true);
  });
});

describe("what is intended", () => {
  const directory = mkdtempSync(join(tmpdir(), "portcullis-intended-"));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  const guardPath = join(directory, "guard.yaml");
  writeFileSync(guardPath, "management:\n  interfaces: [mgmt0]\n", { mode: 0o600 });
  const holdFile = join(directory, "closed");
  const intended = openIntended({
    directory,
    readGuard: guardReader(guardPath, "https://control.example"),
    holdFile,
  });
  const program = mustRender(groupsRuleset({ dev: ["10.8.0.2"] }));
  const digest = "0".repeat(64);
  const applied: Committed = {
    seq: 1,
    revision: 1,
    bundle_sha256: digest,
    mode: "enforce",
    program_sha256: programSha256(program),
    guard_sha256: digest,
    renderer: "nft-1",
  };
  commitSlot(directory, stageSlot(directory, applied, program, 0));
  const ground = {
    applied,
    leaseEndsAt: 1,
    staleFrom: null,
    policy: null,
    attempt: null,
    reverts: noReverts,
    enforces: true,
    counted: null,
    kernel: "holds",
  } as const;
  const steady: State = { ...ground, kind: "steady" };

  it("is the committed program, also when the lease is over", () => {
    expect(intended(steady)).toEqual(program);
    expect(intended({ ...ground, kind: "stale" })).toEqual(program);
  });

  it("is nothing before the first commit, while an apply is under way, and while the kernel is in doubt", () => {
    expect(intended({ kind: "unenrolled" })).toBeUndefined();
    expect(intended({ ...ground, applied: null, kind: "adopting" })).toBeUndefined();
    const counting = { ...ground, applied: null, enforces: false, counted: applied } as const;
    expect(intended({ ...counting, kind: "adopting" })).toBeUndefined();
    expect(
      intended({
        kind: "applying",
        candidate: applied,
        guard: digest,
        from: { ...ground, kind: "steady" },
      }),
    ).toBeUndefined();
    expect(intended({ ...ground, kernel: "doubtful", kind: "steady" })).toBeUndefined();
  });

  it("is the committed program after a revert and while reverts hold the host", () => {
    expect(intended({ ...ground, kind: "reverted" })).toEqual(program);
    expect(intended({ ...ground, kind: "hold" })).toEqual(program);
    expect(intended({ ...ground, kind: "degraded" })).toEqual(program);
    expect(intended({ ...ground, kind: "closed", by: "expiry" })).toEqual(renderClosed(testGuard));
  });

  it("is the closed ruleset from the moment a person marks the host, before the agent knows", () => {
    writeFileSync(holdFile, "");
    expect(intended(steady)).toEqual(renderClosed(testGuard));
    rmSync(holdFile);
    expect(intended(steady)).toEqual(program);
    expect(intended({ ...ground, kind: "closed", by: "failure" })).toEqual(renderClosed(testGuard));
  });

  it("is nothing where the slot holds another program than the one applied", () => {
    expect(
      intended({ ...steady, applied: { ...applied, program_sha256: "1".repeat(64) } }),
    ).toBeUndefined();
  });
});

describe("the drift log", () => {
  const drifted = {
    by: "nft",
    changes: ["a".repeat(500), ...Array<string>(30).fill("b")],
    repaired: true,
  };

  it("fits in a report whatever was changed, and says how much there was", () => {
    const drift = new DriftLog().record(drifted, 0);
    expect(Drift.parse(drift).last.total).toBe(31);
  });

  it("is contended after more than ten in ten minutes, and no longer when they are past", () => {
    const log = new DriftLog();
    for (let i = 0; i < 10; i += 1) expect(log.record(drifted, i).contended).toBe(false);
    expect(log.record(drifted, 599_999).contended).toBe(true);
    expect(log.summarizeDrift(600_001)?.contended).toBe(false);
  });
});
