/** The service itself: whether it answers, and who did what to it. */
import * as z from "zod";
import { Count, Ordinal, Revision, makeTable, Time } from "../primitives.ts";
import { makeDecimal, Sentence, Word } from "./common.ts";

export const Health = z.object({ status: z.literal("ok"), head: Revision, fleet: Word });
export type Health = z.infer<typeof Health>;

/** `hash` covers every other field, and `prev` is the hash of the row before. */
export const AuditItem = z.object({
  seq: Ordinal,
  at: Time,
  actor: Word,
  on_behalf_of: Sentence.nullable(),
  action: Word,
  revision: Revision.nullable(),
  body: makeTable(Word, z.unknown(), { max: 1000 }),
  prev: Word,
  hash: Word,
  /** By which request; null for what no request decided. */
  request_id: Word.nullable(),
  /** Address that the request came from, as far as it is known. */
  source: Word.nullable(),
});
export type AuditItem = z.infer<typeof AuditItem>;

export const VerifyQuery = z.strictObject({
  cursor: makeDecimal(1, Number.MAX_SAFE_INTEGER).optional(),
});

/** `seq` and `hash`: the last link that was verified, or the first that does not follow, with what was expected of it. */
export const AuditVerified = z.object({
  ok: z.boolean(),
  seq: Count,
  hash: Word.nullable(),
  message: Sentence.nullable(),
  /** Commits among these from before rows were digested: their rows are in no hash. */
  unproven: Count,
  /** Where the next part begins; null at the end of the chain, or where it is broken. */
  next_cursor: Word.nullable(),
});
export type AuditVerified = z.infer<typeof AuditVerified>;
