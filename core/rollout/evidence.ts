/**
 * What a host's newest report says about its assignment. Decides a standing, never a transition. A standing follows
 * from the assignment and the newest report alone, so that repeated and late reports change nothing, and a host that
 * commits after its timeout is committed. What a report does not say is no evidence: silence settles nothing well.
 */
import { refusalEntry } from "#schema/refusals.ts";
import type { Gates } from "#schema/rollout.ts";
import type { AgentState } from "#schema/wire.ts";
import { computeLostAfterMs, type Place, silentAfterMs } from "./heartbeat.ts";
import type { Entry, Evidence } from "./state.ts";

const never = Number.NEGATIVE_INFINITY;
/** Drops per second that are noise on any host: an address on the Internet is scanned, and somebody always retries. */
const denyNoise = 10;

type Verdict = Pick<Entry, "standing" | "detail">;

/**
 * The entry as `report`, the host's newest, and the time leave it; the same object when nothing changed.
 * @param place where the rollout stands: only in its current wave heartbeats are missed
 */
export function updateEntry(
  entry: Entry,
  report: Evidence | undefined,
  place: Place,
  now: number,
): Entry {
  const { gates } = place;
  if (!isExposed(entry) || entry.standing === "skipped") return entry;
  if (isGoingBack(entry)) return settleReturn(entry, report, gates, now);
  const verdict = report === undefined ? undefined : verdictOf(entry, report, place, now);
  if (report !== undefined && verdict !== undefined)
    return affirm(settle(entry, verdict, report.receivedAt, gates), report, gates);
  const deadline = deadlineOf(entry, gates);
  return entry.standing === "assigned" && now >= deadline
    ? { ...entry, ...settleLate(entry, report), settledAt: deadline }
    : entry;
}

/** It was given the content of a phase, and nobody took that back. */
export const isExposed = (entry: Entry): boolean =>
  entry.assignedAt !== null && entry.standing !== "superseded";

/** It was told to go back to what the first phase had left it, and did not say yet that it did. */
export const isGoingBack = (entry: Entry): boolean =>
  entry.standing === "rolled_back" && isExposed(entry);

function settleReturn(
  entry: Entry,
  report: Evidence | undefined,
  gates: Gates,
  now: number,
): Entry {
  const back: Entry = { ...entry, seq: null, assignedAt: null };
  const holds = entry.seq !== null && (report?.appliedSeq ?? 0) >= entry.seq;
  if (report !== undefined && holds) return { ...back, settledAt: report.receivedAt };
  const deadline = deadlineOf(entry, gates);
  return now < deadline
    ? entry
    : { ...back, settledAt: deadline, detail: "did not say in time that it went back" };
}

/** Milliseconds since the Unix epoch. A timeout is dated to it, which tells it from what a report settled. */
const deadlineOf = (entry: Entry, gates: Gates): number =>
  (entry.assignedAt ?? 0) + gates.timeout_seconds * 1000;

const isCommitted = ({ standing }: Pick<Entry, "standing">): boolean => standing === "committed";

function settle(entry: Entry, verdict: Verdict, receivedAt: number, gates: Gates): Entry {
  const { assignedAt, settledAt } = entry;
  const at = Math.max(receivedAt, assignedAt ?? 0);
  if (
    entry.standing === verdict.standing &&
    (isCommitted(entry) || entry.detail === verdict.detail)
  ) {
    // What is known once of a host that committed stays known: its bake does not begin anew.
    const detail = entry.detail === "" ? "" : verdict.detail;
    const first = settledAt !== null && at >= settledAt;
    return first && detail === entry.detail
      ? entry
      : { ...entry, detail, settledAt: first ? settledAt : at };
  }
  const older = settledAt !== null && at < settledAt && settledAt !== deadlineOf(entry, gates);
  return older ? entry : { ...entry, ...verdict, settledAt: at, affirmedAt: null };
}

/** Once a host that committed was heard of past half of its bake. What it held since before is not waited for. */
function affirm(entry: Entry, { receivedAt }: Evidence, { bake_seconds: bake }: Gates): Entry {
  const { assignedAt, settledAt, affirmedAt } = entry;
  if (!isCommitted(entry) || affirmedAt !== null || settledAt === null) return entry;
  const due = receivedAt < (assignedAt ?? 0) ? receivedAt : settledAt + bake * 500;
  return receivedAt < due ? entry : { ...entry, affirmedAt: receivedAt };
}

/** A host that was silent before its assignment and since may be off; one that spoke should have answered. */
function settleLate(entry: Entry, report: Evidence | undefined): Verdict {
  if (isIll(entry.stateBefore)) return apart(entry.stateBefore);
  if ((report?.state ?? entry.stateBefore) === "adopting")
    return { standing: "unknown", detail: "adopting, and did not say that it counts this" };
  const assignedAt = entry.assignedAt ?? 0;
  const lastReportAt = Math.max(entry.lastReportAt ?? never, report?.receivedAt ?? never);
  return lastReportAt < assignedAt - silentAfterMs
    ? { standing: "unknown", detail: "not heard of since before its assignment" }
    : { standing: "failed", detail: "did not answer in time" };
}

/** Undefined when the report says nothing about the assignment. */
function verdictOf(entry: Entry, report: Evidence, place: Place, now: number): Verdict | undefined {
  if (entry.seq === null || entry.assignedAt === null) return undefined;
  if (report.suspectedClone) return failWith("two agents report under its key");
  const holds = report.appliedSeq !== null && report.appliedSeq >= entry.seq;
  if (report.receivedAt < entry.assignedAt) {
    // Equal bytes publish nothing: then it holds the seq that it was given since before.
    const held = holds && entry.standing === "assigned" && report.state === "steady";
    return held ? { standing: "committed", detail: "had it already" } : undefined;
  }
  return holds ? checkApplied(entry, report, place, now) : checkUnapplied(entry, entry.seq, report);
}

/** States in which an agent takes nothing new, or may take nothing. */
export const isIll = (
  state: AgentState | null | undefined,
): state is "hold" | "closed" | "degraded" =>
  state === "hold" || state === "closed" || state === "degraded";

const apart = (state: "hold" | "closed" | "degraded"): Verdict => ({
  standing: "apart",
  detail: `${state === "hold" ? "in hold" : state} since before its assignment`,
});

function checkApplied(
  entry: Entry,
  report: Evidence,
  place: Place,
  now: number,
): Verdict | undefined {
  if (report.drift > 0) return failWith("its kernel drifted from what was applied");
  if (denies(entry, report, place.gates))
    return failWith(`drops ${report.denyRate} packets a second, ${entry.baseline} before`);
  switch (report.state) {
    case "degraded":
      return failWith("degraded");
    case "closed":
      if (report.appliedMode !== "closed") return failWith("closed");
      break;
    case "steady":
      break;
    case "unenrolled":
    case "adopting":
    case "applying":
    case "reverted":
    case "hold":
    case "stale":
      return undefined;
  }
  const lost = computeLostAfterMs(entry, report.heartbeats, place);
  if (now - report.receivedAt > lost) return failWith("not heard of any more since it committed");
  const unknown = report.denyRate === null || entry.baseline === null;
  return { standing: "committed", detail: unknown ? "its drops are not known" : "" };
}

/** What it took itself back from is said by seq: an earlier revert says nothing about this assignment. */
function hasReverted(seq: number, { revertedSeq, state, seenSeq }: Evidence): boolean {
  if (revertedSeq === undefined)
    return (state === "reverted" || state === "hold") && seenSeq >= seq;
  return revertedSeq !== null && revertedSeq >= seq;
}

function checkUnapplied(
  { stateBefore }: Entry,
  seq: number,
  report: Evidence,
): Verdict | undefined {
  const tried = report.seenSeq >= seq;
  if (hasReverted(seq, report))
    return {
      standing: "reverted",
      detail: `took itself back from seq ${report.revertedSeq ?? report.seenSeq}`,
    };
  switch (report.state) {
    case "degraded":
      return isIll(stateBefore) ? apart(report.state) : failWith("degraded");
    case "closed":
      if (isIll(stateBefore)) return apart(report.state);
      if (tried) return failWith("closed");
      break;
    case "hold":
      // With the reverts of before: what was assigned was not tried.
      if (tried) return apart(report.state);
      break;
    case "adopting":
      if (tried)
        return { standing: "shown", detail: "adopting: it counts this and enforces nothing" };
      break;
    case "reverted":
    case "unenrolled":
    case "steady":
    case "applying":
    case "stale":
      break;
  }
  const refused = report.refusal !== null && refusalEntry(report.refusal).class !== "transport";
  return refused ? failWith(`refused: ${report.refusal}`) : undefined;
}

/** Without a rate or a baseline there is no evidence either way. */
function denies(entry: Entry, { denyRate }: Evidence, gates: Gates): boolean {
  if (denyRate === null || entry.baseline === null) return false;
  return denyRate > Math.max(entry.baseline * gates.deny_ratio, denyNoise);
}

const failWith = (detail: string): Verdict => ({ standing: "failed", detail });
