/** The service itself: whether it answers, and who did what to it. */
import * as z from "zod";

export const Health = z.object({ status: z.literal("ok"), head: z.int(), fleet: z.string() });
export type Health = z.infer<typeof Health>;

/** `hash` covers every other field, and `prev` is the hash of the row before. */
export const AuditItem = z.object({
  seq: z.int(),
  at: z.iso.datetime(),
  actor: z.string(),
  on_behalf_of: z.string().nullable(),
  action: z.string(),
  revision: z.int().nullable(),
  body: z.record(z.string(), z.unknown()),
  prev: z.string(),
  hash: z.string(),
});
export type AuditItem = z.infer<typeof AuditItem>;
