/**
 * What a rollout is, as values. Plain data: the store reads it from rows and writes back what `step` changed.
 * Times are milliseconds since the Unix epoch; waves count from 1.
 */
import type { RefusalCode } from "#schema/refusals.ts";
import type { Gates, HostProgress, Phase, RolloutStatus } from "#schema/rollout.ts";
import type { AgentState } from "#schema/wire.ts";

/** One host in one phase. Host, phase and wave never change. */
export interface Entry {
  readonly host: string;
  readonly phase: Phase;
  /** 0: skipped, in no wave. */
  readonly wave: number;
  readonly standing: HostProgress;
  /** The seq that it was given for this phase, from the store when it assigns; null before, and when it was taken back. */
  readonly seq: number | null;
  /** Null before, and when the assignment was taken back. */
  readonly assignedAt: number | null;
  /** When its standing became what it is after `assigned`. */
  readonly settledAt: number | null;
  /** When it was heard of as committed in the second half of its bake; null before. Without it no wave is left. */
  readonly affirmedAt: number | null;
  /** When it was last heard of as the assignment was made; null: never. A silent host's timeout is `unknown`. */
  readonly lastReportAt: number | null;
  /** The agent's state in its last report before the assignment; null where it had sent none. */
  readonly stateBefore: AgentState | null;
  /** Its own drops per second before the assignment; null when its reports do not say. */
  readonly baseline: number | null;
  /** Why it stands so, for people; empty when there is nothing to say. */
  readonly detail: string;
}

export interface RolloutState {
  readonly status: RolloutStatus;
  /** Why it is paused, halted or superseded; empty while it runs. For people: nothing is decided by it. */
  readonly reason: string;
  /** Who paused it: evidence may end its own pauses, a person ends theirs. Null unless it is or was paused. */
  readonly pausedBy: "evidence" | "person" | null;
  readonly emergency: boolean;
  readonly gates: Gates;
  readonly phase: Phase;
  readonly wave: number;
  readonly waveStartedAt: number | null;
  readonly entries: readonly Entry[];
  /** Principals who approved, by name; an emergency needs two. */
  readonly approvals: readonly string[];
}

/** What a host's own report says, as far as a rollout asks. The newest a host has sent. */
export interface Evidence {
  readonly host: string;
  readonly receivedAt: number;
  readonly state: AgentState;
  /** What the bundle that it holds asks of it: a host that its bundle closes is as it should be. */
  readonly appliedMode: "enforce" | "closed";
  /** What its kernel holds by commit; null before its first. */
  readonly appliedSeq: number | null;
  /** The highest seq that it has verified. */
  readonly seenSeq: number;
  readonly refusal: RefusalCode | null;
  /** The seq that it took itself back from last; null when there is none, undefined from an agent that does not say. */
  readonly revertedSeq: number | null | undefined;
  /** Changes by others that it found since the report before. */
  readonly drift: number;
  /** Drops per second since the report before; null when unknown. */
  readonly denyRate: number | null;
  readonly suspectedClone: boolean;
  /** It reports again when it is asked to, not only every hour. */
  readonly heartbeats: boolean;
}

export type Input =
  | { readonly kind: "tick" }
  /** The newest report of some hosts; old and repeated ones change nothing. Does all that a tick does. */
  | { readonly kind: "evidence"; readonly evidence: readonly Evidence[] }
  | {
      readonly kind: "pause" | "resume" | "halt" | "rollback" | "skip" | "force";
      readonly by: string;
      /** Only halting and approving need none. */
      readonly reason: string;
    }
  | { readonly kind: "approve"; readonly by: string }
  | { readonly kind: "supersede"; readonly by: number; readonly hosts: readonly string[] };

/**
 * What is to be done in the same batch as the new state. `assign` gives hosts the content of a phase; the store fills
 * `seq`, `lastReportAt`, `stateBefore` and `baseline` of their entries. `narrow` gives hosts that widened what the first
 * phase had left them, and is filled alike. `restore` gives the old content under a higher seq. `release` ends the
 * withholding from hosts that only lost something: their bytes are the same.
 */
export type Effect =
  | { readonly kind: "assign"; readonly phase: Phase; readonly hosts: readonly string[] }
  | { readonly kind: "narrow" | "restore" | "release"; readonly hosts: readonly string[] };
