/** Intent as a whole: every row with its source, whatever its kind. */
import { Hono } from "hono";
import * as z from "zod";
import { Key } from "#schema/primitives.ts";
import type { Ports } from "../ports.ts";
import { type DatedRow, selectRows } from "../store/intent.ts";
import { describe } from "./describe.ts";
import type { AppEnv } from "./env.ts";
import { Page, query } from "./input.ts";
import { Body, bodyOf, iso, KindName } from "./views.ts";

const RowsQuery = z.strictObject({
  ...Page.shape,
  kind: KindName.optional(),
  source: Key.optional(),
  cursor: z
    .string()
    .regex(/^[a-z]{1,20}\/[\x21-\x7e]{1,170}$/, { error: "expected a cursor that a page before gave" })
    .optional(),
});

/** `revision` is the head that this page was read at; pages of two heads are not one list. */
const RowsView = z.strictObject({
  revision: z.int(),
  rows: z.array(
    z.strictObject({
      kind: KindName,
      key: z.string(),
      body: Body,
      source: z.string(),
      from_revision: z.int(),
      updated_at: z.iso.datetime(),
      updated_by: z.string(),
      on_behalf_of: z.string().nullable(),
    }),
  ),
  next_cursor: z.string().nullable(),
});

export function intent(ports: Ports): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  api.get(
    "/v1/rows",
    describe("GET /v1/rows", "Rows of every kind, by kind and key", { 200: RowsView }),
    query(RowsQuery),
    async (c) => {
      const { kind, source, cursor = "/", limit } = c.req.valid("query");
      const slash = cursor.indexOf("/");
      const after = { kind: cursor.slice(0, slash), key: cursor.slice(slash + 1) };
      const { revision, rows } = await selectRows(ports.sql, { kind, source, after, limit });
      const last = rows.length < limit ? undefined : rows.at(-1);
      const next_cursor = last === undefined ? null : `${last.kind}/${last.key}`;
      return c.json({ revision, rows: rows.map(view), next_cursor } satisfies z.infer<typeof RowsView>);
    },
  );
  return api;
}

const view = (row: DatedRow) => ({
  kind: row.kind,
  key: row.key,
  body: bodyOf(row),
  source: row.source,
  from_revision: row.from_revision,
  updated_at: iso(row.at),
  updated_by: row.by,
  on_behalf_of: row.on_behalf_of,
});
