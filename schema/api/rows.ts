/** Rows of intent as the API shows them. */
import * as z from "zod";
import { Host, type Kind, Member, Overlay, ReleaseTime, Service, Zone } from "../intent.ts";
import { Key, Note } from "../primitives.ts";
import { Page } from "./common.ts";

export const KindName = z.enum(["host", "member", "overlay", "service", "zone"]) satisfies z.ZodType<Kind>;
export const RowBody = z.union([Overlay, Member, Host, Service, Zone]);
export type RowBody = z.infer<typeof RowBody>;

/** One row of one kind; `revision` is the one that wrote it, and its ETag. */
const rowOf = <T extends z.ZodType>(body: T) =>
  z.object({
    kind: KindName,
    key: z.string(),
    body,
    revision: z.int(),
    at: z.iso.datetime(),
    by: z.string(),
    on_behalf_of: z.string().nullable(),
    source: z.string(),
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
    .regex(/^[a-z]{1,20}\/[\x21-\x7e]{1,170}$/, { error: "expected a cursor that a page before gave" })
    .optional(),
});

/** `revision` is the head that this page was read at; pages of two heads are not one list. */
export const RowsPage = z.object({
  revision: z.int(),
  rows: z.array(
    z.object({
      kind: KindName,
      key: z.string(),
      body: RowBody,
      source: z.string(),
      from_revision: z.int(),
      updated_at: z.iso.datetime(),
      updated_by: z.string(),
      on_behalf_of: z.string().nullable(),
    }),
  ),
  next_cursor: z.string().nullable(),
});
export type RowsPage = z.infer<typeof RowsPage>;
