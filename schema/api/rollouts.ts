/** Rollouts as the API shows them; what starts one and what people may do to it stands in schema/rollout.ts. */
import * as z from "zod";
import { HostStanding, Phase, RolloutStatus, RolloutView } from "../rollout.ts";
import { AgentState } from "../wire.ts";
import { NumberedPage, Page } from "./common.ts";

/** `supersedes`: rollouts that it takes unfinished hosts over from. */
export const StartedRollout = z.object({ ...RolloutView.shape, supersedes: z.array(z.int()) });
export type StartedRollout = z.infer<typeof StartedRollout>;

/** One host in one phase, and what the host itself said last, which may be about something else. */
export const RolloutHost = z.object({
  host: z.string(),
  phase: Phase,
  /** 0: in no wave. */
  wave: z.int(),
  standing: HostStanding,
  /** The seq that it was given for this phase; null before, and when that was taken back. */
  seq: z.int().nullable(),
  detail: z.string(),
  /** Null until it reports. */
  reported: z
    .object({
      at: z.iso.datetime(),
      state: AgentState,
      /** What its kernel holds by commit; null before its first. */
      applied_seq: z.int().nullable(),
      refusal: z.string().nullable(),
    })
    .nullable(),
});
export type RolloutHost = z.infer<typeof RolloutHost>;

/** A view counts every host of its rollout, so fewer of them make a page. */
export const RolloutsQuery = z.strictObject({
  ...NumberedPage.shape,
  limit: z.coerce.number().int().min(1).max(100).default(20),
  status: RolloutStatus.optional(),
});
export const RolloutHostsQuery = z.strictObject({
  ...Page.shape,
  standing: HostStanding.optional(),
  phase: Phase.optional(),
  wave: z.coerce.number().int().min(0).optional(),
});
