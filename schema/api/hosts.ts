/** Hosts as declared, as published and as reported. */
import * as z from "zod";
import { Note } from "../primitives.ts";
import { refusalCodes } from "../refusals.ts";
import { AgentState, Listening } from "../wire.ts";
import { Page } from "./common.ts";
import { RowItems } from "./rows.ts";

const Held = z.object({ seq: z.int(), revision: z.int() });
export type Held = z.infer<typeof Held>;

/** What deserves a person's attention about a host. */
const HostWarning = z.object({
  code: z.enum([
    "revoked",
    "pinned",
    "withheld",
    "suspected_clone",
    "silent",
    "refused",
    "behind",
    "expiring",
    "addresses_mismatch",
    "undeclared_listeners",
    "silent_services",
  ]),
  message: z.string(),
});

/** `state` is the agent's own word in its last report; `unenrolled` while no key is good, `unknown` before a report. */
export const Standing = z.object({
  state: z.enum([...AgentState.options, "unknown"]),
  published: Held.nullable(),
  applied: Held.nullable(),
  last_report_at: z.iso.datetime().nullable(),
  lease_expires_at: z.iso.datetime().nullable(),
  warnings: z.array(HostWarning),
});
export type Standing = z.infer<typeof Standing>;

/** A host's row and where it stands; the tag is the row's, because that is what a write replaces. */
export const HostItem = z.object({ ...RowItems.host.shape, status: Standing });
export type HostItem = z.infer<typeof HostItem>;

/** `current`: the last report says that the kernel holds what is published. */
export const HostStatus = z.object({
  host: z.string(),
  current: z.boolean(),
  published: z
    .object({
      seq: z.int(),
      revision: z.int(),
      bundle_sha256: z.string(),
      lease_issued_at: z.iso.datetime(),
      lease_expires_at: z.iso.datetime(),
    })
    .nullable(),
  enrolled_at: z.iso.datetime().nullable(),
  revoked_at: z.iso.datetime().nullable(),
  report: z
    .object({
      received_at: z.iso.datetime(),
      state: AgentState,
      applied_seq: z.int().nullable(),
      applied_revision: z.int().nullable(),
      applied_bundle_sha256: z.string().nullable(),
      refusal: z.object({ code: z.enum(refusalCodes), at: z.iso.datetime() }).nullable(),
      listening: Listening.nullable(),
      agent_version: z.string(),
      renderer: z.string(),
    })
    .nullable(),
});
export type HostStatus = z.infer<typeof HostStatus>;

/** Milliseconds since the Unix epoch. */
const Time = z.iso.datetime().transform((text) => z.coerce.date().parse(text).getTime());
export const RunsQuery = z.strictObject({ ...Page.shape, at: Time.optional() });

/** What ran on a host. `to` is null for what runs now; the rest is null before the first commit. */
export const Run = z.object({
  from: z.iso.datetime(),
  to: z.iso.datetime().nullable(),
  state: z.string(),
  seq: z.int().nullable(),
  revision: z.int().nullable(),
  bundle_sha256: z.string().nullable(),
  program_sha256: z.string().nullable(),
  guard_sha256: z.string().nullable(),
});
export type Run = z.infer<typeof Run>;

export const PinRequest = z.strictObject({ reason: Note, on_behalf_of: Note.optional() });
export const Pinned = z.object({ host: z.string(), pinned: z.boolean() });
