/**
 * The agent as one pure step: what it is, and what it does next. Decides when the kernel is touched; touches nothing.
 *
 * Invariants, held by test/property/agent-state.test.ts:
 * - no effect removes or opens our table: `leave` is a command of a person, not of this machine;
 * - before its first commit a host keeps what it had, until a person asks it to enforce: it counts what its bundle
 *   would cut, and from the first commit, or the first apply that a crash cut off, on it never counts again;
 * - whatever fails, the host keeps or gets back the last committed ruleset, or closes where its guard says so (law 2);
 * - a seq that was reverted is not tried again under the same guard; one that did not load waits for its back-off.
 * Whether a seq may be lower than the last is not asked here: only the trust room knows (a rotated root may allow it).
 * Every edge stands in DESIGN.md, written from this function by test/checks/edges.ts.
 */
import { noReverts } from "./candidate.ts";
import { isHeld, isHolding, countRevert } from "./tries.ts";
import type { Barred, Candidate, Committed, Counted, Policy, Reverts, Tried } from "./candidate.ts";

export { noReverts } from "./candidate.ts";
export type { Candidate, Committed, Counted, Policy, Reverts } from "./candidate.ts";

interface Attempt extends Tried {
  readonly failures: number;
  readonly notBefore: number;
}

interface Ground {
  /** The last committed ruleset, or null before the first commit. */
  readonly applied: Committed | null;
  /** End of the lease; null when no verified timestamp is held. */
  readonly leaseEndsAt: number | null;
  /** When this host found itself without a lease; null while it has one. */
  readonly staleFrom: number | null;
  /** The last valid guard's; null until there was one, and then nothing closes by itself. */
  readonly policy: Policy | null;
  readonly attempt: Attempt | null;
  readonly reverts: Reverts;
  /** Whether a bundle is enforced, or only counted before a person asked for more. Once true it stays. */
  readonly enforces: boolean;
  /** The count-only program in the kernel; null when there is none. */
  readonly counted: Counted | null;
  /** `doubtful`: what the kernel should hold by this state was not loaded yet, or failed to. */
  readonly kernel: "holds" | "doubtful";
}

export type Resting =
  | (Ground & { readonly kind: "adopting" | "steady" | "stale" | "reverted" | "hold" | "degraded" })
  | (Ground & {
      readonly kind: "closed";
      readonly by: "operator" | "bundle" | "failure" | "expiry";
    });

export type State =
  | { readonly kind: "unenrolled" }
  | Resting
  | {
      readonly kind: "applying";
      readonly candidate: Candidate;
      readonly guard: string;
      readonly from: Resting;
    };

export type Event =
  | {
      readonly kind: "started";
      readonly applied: Committed | null;
      readonly leaseEndsAt: number | null;
      readonly table: "present" | "missing";
      /** A person closed this host and has not lifted it. */
      readonly hold: boolean;
      /** This host had closed itself, and nothing was committed since. */
      readonly fallen: boolean;
      /** It has committed once: then it is no new host, even with both slots torn or gone. */
      readonly committedBefore: boolean;
      /** A person asked this host to enforce. */
      readonly enforces: boolean;
      /** `damaged`: the floors are gone, so nothing new can be believed. */
      readonly trust: "sound" | "damaged";
      readonly policy: Policy | null;
      readonly reverts: Reverts;
      /** An apply that a crash cut off: its candidate may be loaded. `judged`: the watchdog reverted it. */
      readonly interrupted: { readonly tried: Barred; readonly judged: boolean } | null;
      readonly now: number;
    }
  /** Time for a cycle. `hold`: a person closed this host and has not lifted it. */
  | {
      readonly kind: "woke";
      readonly hold: boolean;
      readonly enforces: boolean;
      readonly policy: Policy | null;
      readonly now: number;
    }
  /** What is held is verified, fresh from the wire or unchanged. `guard` is null when the guard file is invalid. */
  | {
      readonly kind: "trusted";
      readonly candidate: Candidate | null;
      readonly leaseEndsAt: number | null;
      readonly guard: string | null;
      readonly renderer: string;
      readonly now: number;
    }
  /** A root with other keys is in force: what was reverted was signed by keys that are not believed any more. */
  | { readonly kind: "rekeyed"; readonly now: number }
  /** The poll brought nothing to believe. `verification`: it brought something, and that was refused. */
  | {
      readonly kind: "refused";
      readonly because: "transport" | "verification";
      readonly now: number;
    }
  | { readonly kind: "counted"; readonly counted: Counted; readonly now: number }
  | { readonly kind: "committed"; readonly applied: Committed; readonly now: number }
  /**
   * `untouched`: the kernel holds what it held. `reverted`: the candidate was loaded, did not prove itself, and what
   * was before is back. `doubtful`: the same, but what was before may not be back.
   * `interrupted`: the agent was told to stop; what was before is back.
   */
  | {
      readonly kind: "failed";
      readonly kernel: "untouched" | "reverted" | "doubtful" | "interrupted";
      readonly now: number;
    }
  | {
      readonly kind: "restored" | "restore-failed" | "closed" | "close-failed";
      readonly now: number;
    };

export type Effect =
  | { readonly kind: "poll" | "report" }
  /** Guard, render, check, journal, load, read back, probe, commit. */
  | { readonly kind: "apply"; readonly candidate: Candidate }
  /** Load the count-only form of it: nothing is cut. */
  | { readonly kind: "count"; readonly candidate: Candidate }
  /** The same program under a higher seq: commit, without touching the kernel. */
  | { readonly kind: "record"; readonly candidate: Candidate }
  /** Load the committed slot again. */
  | { readonly kind: "restore" }
  /** Load the closed ruleset, from the guard alone. */
  | { readonly kind: "close" }
  /** Keep this beyond a restart. */
  | { readonly kind: "remember"; readonly reverts: Reverts };

const retryFirstMs = 60_000;
const retryLastMs = 3_600_000;

const poll: Effect = { kind: "poll" };
const report: Effect = { kind: "report" };
const restore: Effect = { kind: "restore" };
const close: Effect = { kind: "close" };

type Step = readonly [State, readonly Effect[]];

/** The next state and what to do, in order. An event that does not belong to a state changes nothing. */
export function step(state: State, event: Event): Step {
  if (state.kind === "unenrolled") return event.kind === "started" ? start(event) : [state, []];
  if (state.kind === "applying") return finish(state, event);
  switch (event.kind) {
    case "woke":
      return wake(state, event);
    case "trusted":
      return consider(state, event);
    case "refused":
      return refuse(state, event);
    case "rekeyed":
      return forget(state, event.now);
    case "counted":
      return mayCount(state) ? [{ ...state, counted: event.counted }, [report]] : [state, []];
    case "restored":
    case "closed":
      return [{ ...state, kernel: "holds" }, [report]];
    case "restore-failed":
      return [fall(state, "failure"), [close, report]];
    case "close-failed":
      return [{ ...state, kernel: "doubtful" }, [report]];
    case "started":
    case "committed":
    case "failed":
      return [state, []];
  }
}

function forget(before: Resting, now: number): Step {
  const state = settle({ ...before, reverts: noReverts, attempt: null }, now);
  const [, news] = reportRest(before, state);
  return [state, [{ kind: "remember", reverts: noReverts }, ...news]];
}

function start(event: Event & { readonly kind: "started" }): Step {
  const { applied, leaseEndsAt, policy, now } = event;
  const { interrupted: cut } = event;
  const doubtful = event.table === "missing" || cut !== null;
  const known =
    cut === null ? event.reverts : countRevert(event.reverts, cut.judged ? cut.tried : null, now);
  const remember: readonly Effect[] = cut === null ? [] : [{ kind: "remember", reverts: known }];
  const ground: Ground = {
    applied,
    leaseEndsAt,
    staleFrom: null,
    policy,
    attempt: null,
    reverts: known,
    enforces:
      event.enforces || event.committedBefore || event.fallen || applied !== null || cut !== null,
    counted: null,
    kernel: doubtful ? "doubtful" : "holds",
  };
  const state = enterRest(ground, event);
  // Before its first commit a host keeps what it had, unless it has half of an apply.
  const keeps =
    applied === null && state.kind !== "closed" && !event.committedBefore && cut === null;
  if (keeps) return [{ ...state, kernel: "holds" }, [poll]];
  return [state, [...remember, ...listRemedies(state), poll]];
}

/** The state that a host starts in. */
function enterRest(ground: Ground, event: Event & { readonly kind: "started" }): Resting {
  if (event.hold) return { ...ground, kind: "closed", by: "operator" };
  if (event.trust === "damaged") return { ...ground, kind: "degraded" };
  const state = expire(settle({ ...ground, kind: "adopting" }, event.now), event.now);
  if (!event.fallen || state.kind === "closed") return state;
  return { ...ground, kind: "closed", by: state.kind === "stale" ? "expiry" : "failure" };
}

function wake(before: Resting, event: Event & { readonly kind: "woke" }): Step {
  const state: Resting = {
    ...before,
    policy: event.policy ?? before.policy,
    enforces: before.enforces || event.enforces,
  };
  const heldClosed = state.kind === "closed" && state.by === "operator";
  if (event.hold && !heldClosed)
    return [
      { ...groundOf(state), counted: null, kernel: "holds", kind: "closed", by: "operator" },
      [report, poll],
    ];
  if (!event.hold && heldClosed) {
    const open = settle({ ...groundOf(state), kind: "adopting" }, event.now);
    return state.applied === null
      ? [open, [report, poll]]
      : [{ ...open, kernel: "doubtful" }, [restore, report, poll]];
  }
  const next = expire(settle(state, event.now), event.now);
  const [, news] = reportRest(before, next);
  return [next, [...listRemedies(next), ...news, poll]];
}

/** What puts a doubtful kernel right. */
function listRemedies(state: Resting): readonly Effect[] {
  if (state.kernel === "holds") return [];
  return state.applied === null || (state.kind === "closed" && state.by !== "bundle")
    ? [close]
    : [restore];
}

function refuse(before: Resting, event: Event & { readonly kind: "refused" }): Step {
  const state = settle(before, event.now);
  const open = state.kind !== "closed" && state.kind !== "degraded" && state.applied !== null;
  if (event.because === "verification" && open && state.policy?.onFailure === "closed")
    return [fall(state, "failure"), [close, report]];
  return reportRest(before, state);
}

function consider(before: Resting, event: Event & { readonly kind: "trusted" }): Step {
  const state = settle({ ...before, leaseEndsAt: event.leaseEndsAt }, event.now);
  const { candidate, guard, now } = event;
  const idle = reportRest(before, state);
  if (candidate === null || guard === null || !mayApply(state, now)) return idle;
  const { applied, counted } = state;
  if (!state.enforces) {
    const known =
      counted?.seq === candidate.seq &&
      counted.guard_sha256 === guard &&
      counted.renderer === event.renderer;
    return mayCount(state) && !known ? [idle[0], [...idle[1], { kind: "count", candidate }]] : idle;
  }
  const same =
    applied !== null &&
    state.kernel === "holds" &&
    !(state.kind === "closed" && state.by !== "bundle") &&
    applied.bundle_sha256 === candidate.bundle_sha256 &&
    applied.mode === candidate.mode &&
    applied.guard_sha256 === guard &&
    applied.renderer === event.renderer;
  if (same && applied.seq === candidate.seq) return idle;
  if (!same && isHeld(state.reverts, candidate, guard, now)) return idle;
  if (isBarred(state, { seq: candidate.seq, guard_sha256: guard }, now)) return idle;
  return [
    { kind: "applying", candidate, guard, from: state },
    [{ kind: same ? "record" : "apply", candidate }],
  ];
}

/** Only a host that keeps what it had: closed for whatever reason, it opens by enforcing alone. */
const mayCount = (state: Resting): boolean => state.kind === "adopting" && !state.enforces;

/** A person's closing and damaged floors admit nothing; a host closed by expiry asks for a fresh lease first. */
function mayApply(state: Resting, now: number): boolean {
  if (state.kind === "degraded") return false;
  if (state.kind !== "closed") return true;
  if (state.by === "operator") return false;
  return state.by !== "expiry" || (state.leaseEndsAt !== null && now < state.leaseEndsAt);
}

/** Whether this very thing was reverted, or failed so lately that it must wait. */
function isBarred({ attempt, reverts: { barred } }: Ground, tried: Tried, now: number): boolean {
  const is = (other: Tried | null): boolean =>
    other?.seq === tried.seq && other.guard_sha256 === tried.guard_sha256;
  return is(barred) || (is(attempt) && now < (attempt?.notBefore ?? 0));
}

function finish(state: State & { readonly kind: "applying" }, event: Event): Step {
  const { from } = state;
  switch (event.kind) {
    case "committed": {
      const ground: Ground = {
        ...groundOf(from),
        applied: event.applied,
        attempt: null,
        reverts: noReverts,
        counted: null,
        kernel: "holds",
      };
      const remember: readonly Effect[] =
        from.reverts.barred === null ? [] : [{ kind: "remember", reverts: noReverts }];
      return [settle({ ...ground, kind: "adopting" }, event.now), [...remember, report]];
    }
    case "failed":
      return fail(state, event);
    case "started":
    case "woke":
    case "trusted":
    case "refused":
    case "rekeyed":
    case "counted":
    case "restored":
    case "restore-failed":
    case "closed":
    case "close-failed":
      return [state, []];
  }
}

function fail(
  { from, candidate, guard }: State & { readonly kind: "applying" },
  { kernel, now }: Event & { readonly kind: "failed" },
): Step {
  if (kernel === "interrupted") return [from, [report]];
  const { seq, revision } = candidate;
  const tried: Barred = { seq, revision, guard_sha256: guard };
  const closes = from.policy?.onFailure === "closed" && from.applied !== null;
  if (kernel === "untouched") {
    const again = from.attempt?.seq === tried.seq && from.attempt.guard_sha256 === guard;
    const failures = 1 + (again ? (from.attempt?.failures ?? 0) : 0);
    const wait = Math.min(retryLastMs, retryFirstMs * 2 ** Math.min(failures - 1, 20));
    const next: Resting = { ...from, attempt: { ...tried, failures, notBefore: now + wait } };
    return closes && next.kind !== "closed"
      ? [fall(next, "failure"), [close, report]]
      : [next, [report]];
  }
  const after = countRevert(from.reverts, tried, now);
  const remember: Effect = { kind: "remember", reverts: after };
  const next = {
    ...from,
    reverts: after,
    kernel: kernel === "doubtful" ? "doubtful" : from.kernel,
  } as const;
  // Before the first commit there is nothing to go back to but closed.
  if (closes || from.applied === null) return [fall(next, "failure"), [close, remember, report]];
  const settled = settle(next, now);
  return [settled, [...listRemedies(settled), remember, report]];
}

const groundOf = (state: Resting): Ground => ({
  applied: state.applied,
  leaseEndsAt: state.leaseEndsAt,
  staleFrom: state.staleFrom,
  policy: state.policy,
  attempt: state.attempt,
  reverts: state.reverts,
  enforces: state.enforces,
  counted: state.counted,
  kernel: state.kernel,
});

/** Closes, once the kernel is told to. */
const fall = (state: Resting, by: "failure" | "expiry"): Resting => ({
  ...groundOf(state),
  counted: null,
  kernel: "doubtful",
  kind: "closed",
  by,
});

/** Lease and grace over: the guard chooses. */
function expire(state: Resting, now: number): Resting {
  const { policy, leaseEndsAt, staleFrom } = state;
  if (state.kind !== "stale" || policy === null || policy.onExpiry === "hold") return state;
  return now < (leaseEndsAt ?? staleFrom ?? now) + policy.graceMs ? state : fall(state, "expiry");
}

/** Where a host comes to rest, by its lease and its reverts; only a load leaves a closed state, only a person `degraded`. */
function settle(state: Resting, now: number): Resting {
  if (state.kind === "closed" && state.by !== "bundle") return state;
  if (state.kind === "degraded") return state;
  const { applied, leaseEndsAt } = state;
  const leased = leaseEndsAt !== null && now < leaseEndsAt;
  const ground: Ground = {
    ...groundOf(state),
    staleFrom: leased ? null : (state.staleFrom ?? now),
  };
  if (applied === null) return { ...ground, kind: "adopting" };
  if (applied.mode === "closed") return { ...ground, kind: "closed", by: "bundle" };
  if (!leased) return { ...ground, kind: "stale" };
  if (isHolding(state.reverts, now)) return { ...ground, kind: "hold" };
  return { ...ground, kind: state.reverts.barred === null ? "steady" : "reverted" };
}

/** A change of state is told at once. */
const reportRest = (before: Resting, after: Resting): Step => [
  after,
  before.kind === after.kind ? [] : [report],
];
