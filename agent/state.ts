/**
 * The agent as one pure step: what it is, and what it does next. Decides when the kernel is touched; touches nothing.
 *
 * Invariants, held by test/property/agent-state.test.ts:
 * - no effect removes or opens our table: `leave` is a command of a person, not of this machine;
 * - whatever fails, the last committed ruleset stays the one to keep and to restore (law 2);
 * - a seq that failed to load is not tried again before its back-off is over; another one is tried at once.
 * Whether a seq may be lower than the last is not asked here: only the trust room knows (a rotated root may allow it).
 *
 * Shaped for what comes later: journal and watchdog are states between `applying` and rest, boot is another way to
 * start, adoption a longer `adopting`. None of them exists yet.
 */
export interface Candidate {
  readonly seq: number;
  readonly revision: number;
  readonly bundle_sha256: string;
  readonly mode: "enforce" | "closed";
}

/** What was committed: a candidate, as rendered under one guard by one renderer. */
export interface Committed extends Candidate {
  readonly program_sha256: string;
  readonly guard_sha256: string;
  readonly renderer: string;
}

interface Attempt {
  readonly seq: number;
  readonly guard_sha256: string;
  readonly failures: number;
  /** Milliseconds since the Unix epoch, as all times here. */
  readonly notBefore: number;
}

interface Ground {
  /** The last committed ruleset, or null before the first commit. */
  readonly applied: Committed | null;
  /** End of the lease; null when no verified timestamp is held. */
  readonly leaseEndsAt: number | null;
  readonly attempt: Attempt | null;
  /** `doubtful`: what the kernel should hold by this state was not loaded yet, or failed to. */
  readonly kernel: "holds" | "doubtful";
}

export type Resting =
  | (Ground & { readonly kind: "adopting" | "steady" | "stale" })
  | (Ground & { readonly kind: "closed"; readonly by: "operator" | "bundle" | "failure" });

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
      readonly hold: boolean;
      readonly closedFirst: boolean;
      readonly now: number;
    }
  /** Time for a cycle. `hold`: a person closed this host and has not lifted it. */
  | { readonly kind: "woke"; readonly hold: boolean; readonly now: number }
  /** What is held is verified, fresh from the wire or unchanged. `guard` is null when the guard file is invalid. */
  | {
      readonly kind: "trusted";
      readonly candidate: Candidate | null;
      readonly leaseEndsAt: number | null;
      readonly guard: string | null;
      readonly renderer: string;
      readonly now: number;
    }
  /** The poll brought nothing to believe, whatever the reason. */
  | { readonly kind: "refused"; readonly now: number }
  | { readonly kind: "committed"; readonly applied: Committed; readonly now: number }
  /** `touched`: the kernel may hold something else than before. */
  | { readonly kind: "failed"; readonly touched: boolean; readonly now: number }
  | { readonly kind: "restored" | "restore-failed" | "closed" | "close-failed"; readonly now: number };

export type Effect =
  | { readonly kind: "poll" | "report" }
  /** Guard, render, check, load, read back, commit. */
  | { readonly kind: "apply"; readonly candidate: Candidate }
  /** The same program under a higher seq: commit, without touching the kernel. */
  | { readonly kind: "record"; readonly candidate: Candidate }
  /** Load the committed slot again. */
  | { readonly kind: "restore" }
  /** Load the closed ruleset, from the guard alone. */
  | { readonly kind: "close" };

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
      return rested(state, settle(state, event.now));
    case "restored":
    case "closed":
      return [{ ...state, kernel: "holds" }, [report]];
    case "restore-failed":
      return [{ ...state, kernel: "doubtful", kind: "closed", by: "failure" }, [close, report]];
    case "close-failed":
      return [{ ...state, kernel: "doubtful" }, [report]];
    case "started":
    case "committed":
    case "failed":
      return [state, []];
  }
}

function start(event: Event & { readonly kind: "started" }): Step {
  const missing = event.table === "missing";
  const { applied, leaseEndsAt, now } = event;
  const ground: Ground = { applied, leaseEndsAt, attempt: null, kernel: "holds" };
  if (event.hold) {
    const kernel = missing ? "doubtful" : "holds";
    return [{ ...ground, kernel, kind: "closed", by: "operator" }, missing ? [close, poll] : [poll]];
  }
  const state = settle({ ...ground, kind: "adopting" }, now);
  if (!missing) return [state, [poll]];
  if (applied !== null) return [{ ...state, kernel: "doubtful" }, [restore, poll]];
  return event.closedFirst ? [{ ...state, kernel: "doubtful" }, [close, poll]] : [state, [poll]];
}

function wake(state: Resting, event: Event & { readonly kind: "woke" }): Step {
  const heldClosed = state.kind === "closed" && state.by === "operator";
  if (event.hold && !heldClosed)
    return [{ ...state, kernel: "holds", kind: "closed", by: "operator" }, [report, poll]];
  if (!event.hold && heldClosed) {
    const open = settle({ ...state, kind: "adopting" }, event.now);
    return state.applied === null
      ? [open, [report, poll]]
      : [{ ...open, kernel: "doubtful" }, [restore, report, poll]];
  }
  const next = settle(state, event.now);
  const [, news] = rested(state, next);
  return [next, [...remedy(next), ...news, poll]];
}

/** What puts a doubtful kernel right. */
function remedy(state: Resting): readonly Effect[] {
  if (state.kernel === "holds") return [];
  return state.applied === null || state.kind === "closed" ? [close] : [restore];
}

function consider(before: Resting, event: Event & { readonly kind: "trusted" }): Step {
  const state = settle({ ...before, leaseEndsAt: event.leaseEndsAt }, event.now);
  const { candidate, guard } = event;
  const idle = rested(before, state);
  if (candidate === null || guard === null || (state.kind === "closed" && state.by === "operator"))
    return idle;
  const { applied, attempt } = state;
  const same =
    applied !== null &&
    state.kernel === "holds" &&
    !(state.kind === "closed" && state.by === "failure") &&
    applied.bundle_sha256 === candidate.bundle_sha256 &&
    applied.mode === candidate.mode &&
    applied.guard_sha256 === guard &&
    applied.renderer === event.renderer;
  if (same && applied.seq === candidate.seq) return idle;
  if (attempt?.seq === candidate.seq && attempt.guard_sha256 === guard && event.now < attempt.notBefore)
    return idle;
  return [
    { kind: "applying", candidate, guard, from: state },
    [{ kind: same ? "record" : "apply", candidate }],
  ];
}

function finish(state: State & { readonly kind: "applying" }, event: Event): Step {
  const { from, candidate, guard } = state;
  switch (event.kind) {
    case "committed": {
      const ground: Ground = { ...from, applied: event.applied, attempt: null, kernel: "holds" };
      return [settle({ ...ground, kind: "adopting" }, event.now), [report]];
    }
    case "failed": {
      const again = from.attempt?.seq === candidate.seq && from.attempt.guard_sha256 === guard;
      const failures = 1 + (again ? (from.attempt?.failures ?? 0) : 0);
      const wait = Math.min(retryLastMs, retryFirstMs * 2 ** Math.min(failures - 1, 20));
      const attempt: Attempt = {
        seq: candidate.seq,
        guard_sha256: guard,
        failures,
        notBefore: event.now + wait,
      };
      if (!event.touched) return [{ ...from, attempt }, [report]];
      const doubtful = { ...from, attempt, kernel: "doubtful" } as const;
      // Before the first commit there is nothing to go back to but closed.
      return from.applied === null
        ? [{ ...doubtful, kind: "closed", by: "failure" }, [close, report]]
        : [doubtful, [restore, report]];
    }
    case "started":
    case "woke":
    case "trusted":
    case "refused":
    case "restored":
    case "restore-failed":
    case "closed":
    case "close-failed":
      return [state, []];
  }
}

/** Where a host comes to rest: the lease decides between steady and stale; only a load leaves a closed state. */
function settle(state: Resting, now: number): Resting {
  if (state.kind === "closed" && state.by !== "bundle") return state;
  const { applied, leaseEndsAt, attempt, kernel } = state;
  const ground: Ground = { applied, leaseEndsAt, attempt, kernel };
  if (applied === null) return { ...ground, kind: "adopting" };
  if (applied.mode === "closed") return { ...ground, kind: "closed", by: "bundle" };
  return { ...ground, kind: leaseEndsAt !== null && now < leaseEndsAt ? "steady" : "stale" };
}

/** A change of state is told at once. */
const rested = (before: Resting, after: Resting): Step => [after, before.kind === after.kind ? [] : [report]];
