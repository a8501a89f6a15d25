/**
 * Rollouts: how a revision reaches hosts in waves, and what people may say about it. Shapes only; which host may see
 * what is decided in core/rollout, and what a host is served follows from its release level alone.
 */
import * as z from "zod";
import {
  Count,
  Key,
  list,
  Note,
  Ordinal,
  Revision,
  Sha256,
  makeTable,
  textUpTo,
  Time,
} from "./primitives.ts";

/**
 * How much of a staged revision a host is given. `withheld`: nothing of it. `narrowed`: only what it takes away, so
 * what both before and after allow. `released`: all of it.
 */
export const ReleaseLevel = z.enum(["withheld", "narrowed", "released"]);
export type ReleaseLevel = z.infer<typeof ReleaseLevel>;

/** The two phases of a release: first everybody loses what is taken, then everybody gets what is given. */
export const Phase = z.enum(["narrow", "widen"]);
export type Phase = z.infer<typeof Phase>;

const Percent = z.number().min(0).max(100);

/** When a wave may be left (the canary wave: all committed, none failed), and when it must be halted. */
export const Gates = z.strictObject({
  /** Quiet seconds after the last host of a wave has settled. Below four polls it is raised to four polls. */
  bake_seconds: z.int().min(0).max(604_800).default(600),
  /** Seconds after which a host that said nothing about its assignment has failed, or is unknown if it was silent before. */
  timeout_seconds: z.int().min(10).max(604_800).default(900),
  min_committed_percent: Percent.default(95),
  max_failed_percent: Percent.default(2),
  max_unknown_percent: Percent.default(5),
  /** New drops per second, against the host's own rate before. */
  deny_ratio: z.number().min(1).max(1000).default(3),
  /** A breach gives the hosts that took the revision their old content again, under a higher seq. */
  auto_rollback: z.boolean().default(true),
});
export type Gates = z.infer<typeof Gates>;

const Labels = makeTable(Key, textUpTo(63), { max: 64 });

/** Which hosts go when. Whatever the strategy but `all`: at most half of a role (or its only host) in one wave. */
export const Strategy = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("all") }),
  z.strictObject({
    kind: z.literal("canary"),
    /** Of all hosts, cumulative, after the canary wave of one host a role. */
    percentages: list(z.int().min(1).max(100), { min: 1, max: 20 })
      .refine(
        (all) => all.every((p, i) => i === 0 || p > (all[i - 1] ?? 0)) && all.at(-1) === 100,
        {
          error: "expected rising percentages that end in 100",
        },
      )
      .default([5, 25, 50, 100]),
  }),
  z.strictObject({
    kind: z.literal("labels"),
    /** A host goes with the first wave all of whose labels it has; hosts of none go last. */
    waves: list(Labels, { min: 1, max: 20 }),
  }),
]);
export type Strategy = z.infer<typeof Strategy>;

/** Body of `POST /v1/rollouts`. Hosts with withheld revisions up to `revision` (default: head), all or those named. */
export const RolloutRequest = z.strictObject({
  revision: Revision.optional(),
  strategy: Strategy.default({ kind: "canary", percentages: [5, 25, 50, 100] }),
  gates: Gates.prefault({}),
  hosts: list(Key, { min: 1, max: 10_000 }).optional(),
  note: Note,
  on_behalf_of: Note.optional(),
  /** All hosts at once, without waves, after two people approved. */
  emergency: z.boolean().default(false),
});
export type RolloutRequest = z.infer<typeof RolloutRequest>;

export const RolloutStatus = z.enum([
  "awaiting_approval",
  "running",
  "paused",
  "halted",
  "rolled_back",
  "completed",
  "superseded",
]);
export type RolloutStatus = z.infer<typeof RolloutStatus>;

/**
 * Where a host stands in one phase of a rollout. `shown`: it is adopting, so it counts what it was given and enforces
 * nothing. `apart`: it was closed, degraded or in hold before the assignment, which says nothing about the revision.
 */
export const HostProgress = z.enum([
  "pending",
  "assigned",
  "committed",
  "reverted",
  "failed",
  "unknown",
  "shown",
  "apart",
  "skipped",
  "rolled_back",
  "superseded",
]);
export type HostProgress = z.infer<typeof HostProgress>;

/** What a person may do to a rollout. Every action but `halt` and `approve` needs a reason. */
export const RolloutAction = z.enum([
  "pause",
  "resume",
  "halt",
  "rollback",
  "skip",
  "force",
  "approve",
]);
export type RolloutAction = z.infer<typeof RolloutAction>;

export const RolloutActionRequest = z.strictObject({
  reason: Note.optional(),
  on_behalf_of: Note.optional(),
});

const Tally = z.partialRecord(HostProgress, Count);

export const RolloutView = z.object({
  id: Ordinal,
  revision: Revision,
  status: RolloutStatus,
  /** Why it is paused, halted, superseded; empty while it runs. */
  reason: textUpTo(2000),
  emergency: z.boolean(),
  strategy: Strategy,
  gates: Gates,
  phase: Phase,
  /** Number of the current wave within its phase, from 1. */
  wave: Ordinal,
  /** Over the wave lists, which never change once it has started. */
  waves_sha256: Sha256,
  waves: list(
    z.object({
      phase: Phase,
      n: Ordinal,
      hosts: Count,
      tally: Tally,
      started_at: Time.nullable(),
    }),
    { max: 20_000 },
  ),
  /** When the current wave may be left, once all of it has answered and while the rollout runs; null otherwise. */
  bakes_until: Time.nullable(),
  created_at: Time,
  created_by: textUpTo(300),
  on_behalf_of: textUpTo(2000).nullable(),
  note: textUpTo(2000),
  approved_by: list(textUpTo(300), { max: 100 }),
  superseded_by: Ordinal.nullable(),
  /** Hosts that the rollout waits for or lost, the first 100, by name. */
  attention: list(z.object({ host: Key, standing: HostProgress, detail: textUpTo(2000) }), {
    max: 100,
  }),
});
export type RolloutView = z.infer<typeof RolloutView>;
