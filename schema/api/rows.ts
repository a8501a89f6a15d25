/** Rows of intent as the API shows them. */
import * as z from "zod";
import { Key, Note, Revision, Time } from "../primitives.ts";
import { many, Page, Sentence, Word } from "./common.ts";
import { Host, type Kind, Member, Overlay, ReleaseTime, Service, Zone } from "../intent.ts";

export const KindName = z.enum([
  "host",
  "member",
  "overlay",
  "service",
  "zone",
]) satisfies z.ZodType<Kind>;
export const RowBody = z.union([Overlay, Member, Host, Service, Zone]);
export type RowBody = z.infer<typeof RowBody>;

/** One row of one kind; `revision` is the one that wrote it, and its ETag. */
const rowOf = <T extends z.ZodType>(body: T) =>
  z.object({
    kind: KindName,
    key: Word,
    body,
    revision: Revision,
    at: Time,
    by: Word,
    on_behalf_of: Sentence.nullable(),
    source: Word,
  });
export const RowItems = {
  host: rowOf(Host),
  member: rowOf(Member),
  overlay: rowOf(Overlay),
  service: rowOf(Service),
  zone: rowOf(Zone),
} as const satisfies Record<Kind, z.ZodType>;

/** What a write of one row says besides the row: the commit's message, and when hosts get it. */
export const WriteQuery = z.strictObject({
  message: Note.optional(),
  release: ReleaseTime.default("now"),
});
export type WriteQuery = z.infer<typeof WriteQuery>;

export const RowsQuery = z.strictObject({
  ...Page.shape,
  kind: KindName.optional(),
  source: Key.optional(),
  cursor: z
    .string()
    .regex(/^[a-z]{1,20}\/[\x21-\x7e]{1,170}$/, {
      error: "expected a cursor that a page before gave",
    })
    .optional(),
});

/** `revision` is the head that this page was read at; pages of two heads are not one list. */
export const RowsPage = z.object({
  revision: Revision,
  rows: many(
    z.object({
      kind: KindName,
      key: Word,
      body: RowBody,
      source: Word,
      from_revision: Revision,
      updated_at: Time,
      updated_by: Word,
      on_behalf_of: Sentence.nullable(),
    }),
  ),
  next_cursor: Word.nullable(),
});
export type RowsPage = z.infer<typeof RowsPage>;
