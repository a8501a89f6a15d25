/** What ran on a host from when to when: exact, because a row opens and closes with the reports themselves. */
import { Hono } from "hono";
import { pageOf } from "#schema/api/common.ts";
import { Run, RunsQuery } from "#schema/api/hosts.ts";
import type { Ports } from "../ports.ts";
import { listRuns, type RunRow } from "../store/run.ts";
import { describe } from "./describe.ts";
import type { AppEnv } from "./env.ts";
import { params, query } from "./input.ts";
import { HostParam } from "./rows.ts";
import { iso, pageView } from "./views.ts";

export function history(ports: Ports): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  api.get(
    "/v1/hosts/:host/history",
    describe("GET /v1/hosts/:host/history", "Which bundle ran when, newest first; `at` asks for one time", {
      200: pageOf(Run),
    }),
    params(HostParam),
    query(RunsQuery),
    async (c) => {
      const { limit, cursor, at } = c.req.valid("query");
      const page = { before: beforeOf(cursor), at, limit };
      const rows = await listRuns(ports.sql, c.req.valid("param").host, page);
      return c.json(pageView(rows, limit, runView, ({ from_at, report }) => `${from_at}-${report}`));
    },
  );
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
