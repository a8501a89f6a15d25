/** What a state says that others tell on: what is committed, and until when it is trusted. */
import type { Committed, State } from "./state.ts";

export const committedOf = (state: State): Committed | null =>
  state.kind === "unenrolled" ? null : (state.kind === "applying" ? state.from : state).applied;

/** Milliseconds since the Unix epoch. */
export const leaseOf = (state: State): number | null =>
  state.kind === "unenrolled" ? null : (state.kind === "applying" ? state.from : state).leaseEndsAt;
