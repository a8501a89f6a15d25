/** What a state says that others tell on: what is committed or counted, and until when it is trusted. */
import type { Committed, Counted, State } from "./state.ts";

export const committedOf = (state: State): Committed | null =>
  state.kind === "unenrolled" ? null : (state.kind === "applying" ? state.from : state).applied;

/** What is counted and not enforced; null once a host enforces. */
export const countedOf = (state: State): Counted | null =>
  state.kind === "adopting" && !state.enforces ? state.counted : null;

/** Of the bundle that the kernel holds, enforced or counted. */
export const seqOf = (state: State): number | undefined =>
  (committedOf(state) ?? countedOf(state))?.seq;

/** Whether the kernel holds what is committed, and nothing is under way. */
export const isHeld = (state: State): boolean =>
  state.kind !== "unenrolled" &&
  state.kind !== "applying" &&
  state.kind !== "closed" &&
  state.applied !== null &&
  state.kernel === "holds";

/** Milliseconds since the Unix epoch. */
export const leaseOf = (state: State): number | null =>
  state.kind === "unenrolled" ? null : (state.kind === "applying" ? state.from : state).leaseEndsAt;
