/** What ran on a host from when to when: exact, because a row opens and closes with the reports themselves. */
import { Hono } from "hono";
import type { Run } from "#schema/api/hosts.ts";
import type { Ports } from "#worker/ports/index.ts";
import { listRuns, type RunRow } from "./run-rows.ts";
import { serveRoute } from "#worker/http/serve.ts";
import type { AppEnv } from "#worker/http/env.ts";
import { iso, makePage } from "#worker/http/views.ts";

export function routeHistory(ports: Ports): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  serveRoute(api, "GET /v1/hosts/:host/history", async (c, { params, query }) => {
    const { limit, cursor, at } = query;
    const page = { before: beforeOf(cursor), at, limit };
    const rows = await listRuns(ports.sql, params.host, page);
    return c.json(makePage(rows, limit, runView, ({ from_at, report }) => `${from_at}-${report}`));
  });
  return api;
}

function beforeOf(cursor: string | undefined): { from_at: number; report: number } | undefined {
  const [, from_at, report] = /^(\d{1,15})-(\d{1,15})$/.exec(cursor ?? "") ?? [];
  return from_at === undefined ? undefined : { from_at: Number(from_at), report: Number(report) };
}

const runView = (row: RunRow): Run => ({
  from: iso(row.from_at),
  to: row.to_at === null ? null : iso(row.to_at),
  state: row.state,
  seq: row.seq,
  revision: row.revision,
  bundle_sha256: row.bundle_sha256,
  program_sha256: row.program_sha256,
  guard_sha256: row.guard_sha256,
});
