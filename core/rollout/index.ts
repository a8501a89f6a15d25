/** The door of the room: which host may be given what, and when. Pure; the store writes what `step` says. */
export { isIll, updateEntry } from "./evidence.ts";
export { computeNextReportSeconds } from "./heartbeat.ts";
export { begin, type Beginning } from "./begin.ts";
export { isNews } from "./progress.ts";
export { findQuietEnd } from "./quiet.ts";
export type { Effect, Evidence, Input, RolloutState } from "./state.ts";
export { step } from "./step.ts";
export { planWaves, wavesDigest, type Candidate } from "./waves.ts";
