/** Intent as a whole: every row with its source, whatever its kind. */
import { Hono } from "hono";
import type { RowsPage } from "#schema/api/rows.ts";
import type { Ports } from "#worker/ports/index.ts";
import { type DatedRow, selectRows } from "./rows.ts";
import { serveRoute } from "#worker/http/serve.ts";
import type { AppEnv } from "#worker/http/env.ts";
import { bodyOf } from "./views.ts";
import { iso } from "#worker/http/views.ts";

export function routeIntent(ports: Ports): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  serveRoute(api, "GET /v1/rows", async (c, { query }) => {
    const { kind, source, cursor = "/", limit } = query;
    const slash = cursor.indexOf("/");
    const after = { kind: cursor.slice(0, slash), key: cursor.slice(slash + 1) };
    const { revision, rows } = await selectRows(ports.sql, { kind, source, after, limit });
    const last = rows.length < limit ? undefined : rows.at(-1);
    const next_cursor = last === undefined ? null : `${last.kind}/${last.key}`;
    return c.json({ revision, rows: rows.map(view), next_cursor } satisfies RowsPage);
  });
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
