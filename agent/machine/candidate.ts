/**
 * What a host may come to run, and what it runs, as the state machine knows it: by numbers and digests. Values only.
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

/** What is counted and not enforced: a candidate, as rendered under one guard by one renderer. */
export interface Counted extends Candidate {
  readonly guard_sha256: string;
  readonly renderer: string;
}

/** What the guard says about trust that runs out. */
export interface Policy {
  readonly onFailure: "last-good" | "closed";
  readonly onExpiry: "close" | "hold";
  /** From the end of the lease, this host's jitter included. */
  readonly graceMs: number;
}

/** A seq under one guard. */
export interface Tried {
  readonly seq: number;
  readonly guard_sha256: string;
}

/** What was reverted last, and the newest revision that was. */
export interface Barred extends Tried {
  /** 0 where it is not known. */
  readonly revision: number;
}

/** Reverts of the last hour under one guard, none of them followed by a commit. */
export interface Reverts {
  /** Milliseconds since the Unix epoch, as all times here. Ascending. */
  readonly at: readonly number[];
  readonly barred: Barred | null;
}
export const noReverts: Reverts = { at: [], barred: null };
