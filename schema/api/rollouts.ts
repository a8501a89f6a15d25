/** Rollouts as the API shows them; what starts one and what people may do to it stands in schema/rollout.ts. */
import * as z from "zod";
import { Count, Ordinal, Time } from "../primitives.ts";
import { makeDecimal, decimalOr, many, NumberedPage, Page, Sentence, Word } from "./common.ts";
import { HostProgress, Phase, RolloutStatus, RolloutView } from "../rollout.ts";
import { AgentState } from "../wire.ts";

/** `supersedes`: rollouts that it takes unfinished hosts over from. */
export const StartedRollout = z.object({ ...RolloutView.shape, supersedes: many(Ordinal) });
export type StartedRollout = z.infer<typeof StartedRollout>;

/** One host in one phase, and what the host itself said last, which may be about something else. */
export const RolloutHost = z.object({
  host: Word,
  phase: Phase,
  /** 0: in no wave. */
  wave: Count,
  standing: HostProgress,
  /** The seq that it was given for this phase; null before, and when that was taken back. */
  seq: Ordinal.nullable(),
  detail: Sentence,
  /** Null until it reports. */
  reported: z
    .object({
      at: Time,
      state: AgentState,
      /** What its kernel holds by commit; null before its first. */
      applied_seq: Ordinal.nullable(),
      refusal: Word.nullable(),
    })
    .nullable(),
});
export type RolloutHost = z.infer<typeof RolloutHost>;

/** A view counts every host of its rollout, so fewer of them make a page. */
export const RolloutsQuery = z.strictObject({
  ...NumberedPage.shape,
  limit: decimalOr(1, 100, 20),
  status: RolloutStatus.optional(),
});
export const RolloutHostsQuery = z.strictObject({
  ...Page.shape,
  standing: HostProgress.optional(),
  phase: Phase.optional(),
  wave: makeDecimal(0, Number.MAX_SAFE_INTEGER).optional(),
});
