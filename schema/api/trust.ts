/** What operators say about trust: invitations of hosts, and the root ceremony. */
import * as z from "zod";
import { Key, Note, Ordinal, Sha256, Time } from "../primitives.ts";
import { Word } from "./common.ts";
import { sizeLimits } from "../bundle.ts";
import { KeyId, TufKey } from "../tuf.ts";

export const EnrolmentRequest = z.strictObject({
  host: Key,
  ttl_seconds: z.int().min(60).max(86_400).default(900),
  on_behalf_of: Note.optional(),
});
export type EnrolmentRequest = z.infer<typeof EnrolmentRequest>;

/** The token is shown once. `root_sha256` is of the latest root's exact bytes; the join command carries it. */
export const Enrolment = z.object({
  id: Word,
  host: Key,
  token: Word,
  expires_at: Time,
  root_version: Ordinal,
  root_sha256: Sha256,
});
export type Enrolment = z.infer<typeof Enrolment>;

/** One that still lets its host in; its token is not kept. A host has one at most, and a newer one ends it. */
export const Invitation = z.object({
  id: Word,
  host: Key,
  created_at: Time,
  created_by: Word,
  expires_at: Time,
});
export type Invitation = z.infer<typeof Invitation>;

const OnlineKey = z.object({ keyid: KeyId, key: TufKey });

/** Public halves of the online keys, for the root ceremony. */
export const OnlineKeySet = z.object({
  fleet: Key,
  keys: z.object({ targets: OnlineKey, snapshot: OnlineKey, timestamp: OnlineKey }),
});
export type OnlineKeySet = z.infer<typeof OnlineKeySet>;

/** The exact text of root.json, which is canonical JSON. */
export const RootRequest = z.strictObject({ root: z.string().min(1).max(sizeLimits.root) });

export const StoredRoot = z.object({ version: Ordinal, sha256: Sha256 });
export type StoredRoot = z.infer<typeof StoredRoot>;
