/** The service itself: whether it answers, and who did what to it. */
import * as z from "zod";
import { Ordinal, Revision, table, Time } from "../primitives.ts";
import { Sentence, Word } from "./common.ts";

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
  body: table(Word, z.unknown(), { max: 1000 }),
  prev: Word,
  hash: Word,
});
export type AuditItem = z.infer<typeof AuditItem>;
