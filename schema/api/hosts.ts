/** Hosts as declared, as published and as reported. */
import * as z from "zod";
import { Count, Note, Ordinal, Revision, Time } from "../primitives.ts";
import { many, Page, Sentence, Word } from "./common.ts";
import { codesOf, refusalCodes } from "../refusals.ts";
import { AgentState, Listening } from "../wire.ts";
import { RowItems } from "./rows.ts";

const Held = z.object({ seq: Ordinal, revision: Revision });
export type Held = z.infer<typeof Held>;

/** What deserves a person's attention about a host, by code: what it means and what to do. */
const hostWarnings = {
  revoked: "Its key is revoked, and it is served nothing. Enrol it again, or delete its row.",
  pinned: "A person keeps it where it is. portcullis unpin lets rollouts reach it again.",
  withheld: "Revisions are committed and not given to it. A rollout brings them.",
  suspected_clone: "Two agents report under its key. Find the copy, and enrol the host again.",
  late: "It missed three polls. Look again in some minutes.",
  silent:
    "Nobody saw it for a quarter of an hour at least. Is it on, and does it reach the control plane?",
  refused: "Its last report says that it refused something. Look up the code.",
  behind: "It does not hold what it is served: it has not polled since, or refused it.",
  expiring: "Metadata that it holds ends soon, and nobody renewed it.",
  addresses_mismatch:
    "It does not say that it has an address that is declared. Correct the row or the host.",
  undeclared_listeners:
    "Something listens at a port, and no row lets anybody reach it. Declare it, or end it.",
  silent_services:
    "A row lets somebody in at a port at which nothing listens. Start it, or take the row away.",
} as const;
type HostWarningCode = keyof typeof hostWarnings;
export const hostWarningCodes = codesOf(hostWarnings);
export const hostWarningText = (code: HostWarningCode): string => hostWarnings[code];

const HostWarning = z.object({
  code: z.enum(hostWarningCodes),
  message: Sentence,
});

/** `state` is the agent's own word in its last report; `unenrolled` while no key is good, `unknown` before a report. */
export const StatusSummary = z.object({
  state: z.enum([...AgentState.options, "unknown"]),
  published: Held.nullable(),
  applied: Held.nullable(),
  /** `polling`, `late` after three intervals without a poll, `silent` after a quarter of an hour; null: nobody knows. */
  contact: z.enum(["polling", "late", "silent"]).nullable(),
  /** As good as some minutes; null until it was seen. */
  last_poll_at: Time.nullable(),
  last_report_at: Time.nullable(),
  /** Of what is published for it. */
  lease_expires_at: Time.nullable(),
  /** Of what the host held as it reported last: it ages by this one. */
  held_lease_expires_at: Time.nullable(),
  warnings: many(HostWarning),
});
export type StatusSummary = z.infer<typeof StatusSummary>;

/** A host's row and where it stands; the tag is the row's, because that is what a write replaces. */
export const HostItem = z.object({ ...RowItems.host.shape, status: StatusSummary });
export type HostItem = z.infer<typeof HostItem>;

/** Packets that a host let pass and its bundle would refuse; of no row where no rule decides. Fifty rows at most. */
const Counted = z.object({
  packets: Count,
  rows: many(z.object({ row: Word.nullable(), packets: Count })),
});

/** `current`: the last report says that the kernel holds what is published. */
export const HostStatus = z.object({
  host: Word,
  current: z.boolean(),
  published: z
    .object({
      seq: Ordinal,
      revision: Revision,
      bundle_sha256: Word,
      lease_issued_at: Time,
      lease_expires_at: Time,
    })
    .nullable(),
  enrolled_at: Time.nullable(),
  revoked_at: Time.nullable(),
  report: z
    .object({
      received_at: Time,
      state: AgentState,
      applied_seq: Ordinal.nullable(),
      applied_revision: Revision.nullable(),
      applied_bundle_sha256: Word.nullable(),
      refusal: z.object({ code: z.enum(refusalCodes), at: Time }).nullable(),
      listening: Listening.nullable(),
      /** While it is adopting: what it counted that would be refused, most first. Null: it enforces, or nobody knows. */
      counted: Counted.nullable(),
      agent_version: Word,
      renderer: Word,
    })
    .nullable(),
});
export type HostStatus = z.infer<typeof HostStatus>;

/** Milliseconds since the Unix epoch. */
const Milliseconds = Time.transform((text) => z.coerce.date().parse(text).getTime());
export const RunsQuery = z.strictObject({ ...Page.shape, at: Milliseconds.optional() });

/** What ran on a host. `to` is null for what runs now; the rest is null before the first commit. */
export const Run = z.object({
  from: Time,
  to: Time.nullable(),
  state: Word,
  seq: Ordinal.nullable(),
  revision: Revision.nullable(),
  bundle_sha256: Word.nullable(),
  program_sha256: Word.nullable(),
  guard_sha256: Word.nullable(),
});
export type Run = z.infer<typeof Run>;

export const PinRequest = z.strictObject({ reason: Note, on_behalf_of: Note.optional() });
export const Pinned = z.object({ host: Word, pinned: z.boolean() });
