/** The audit chain, for those who ask who decided what. */
import { Hono } from "hono";
import * as z from "zod";
import type { AuditItem } from "#schema/api/service.ts";
import type { Ports } from "#worker/ports/index.ts";
import { type AuditRow, listAudit } from "#worker/db/audit.ts";
import { serveRoute } from "#worker/http/serve.ts";
import type { AppEnv } from "#worker/http/env.ts";
import { verifyAudit } from "./verify.ts";
import { iso, makePage } from "#worker/http/views.ts";

export function audit(ports: Ports): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  serveRoute(api, "GET /v1/audit", async (c, { query }) => {
    const { limit, cursor } = query;
    const rows = await listAudit(ports.sql, {
      limit,
      ...(cursor === undefined ? {} : { before: cursor }),
    });
    return c.json(makePage(rows, limit, auditView, (row) => String(row.seq)));
  });
  serveRoute(api, "GET /v1/audit/verify", async (c, { query }) =>
    c.json(await verifyAudit(ports.sql, query.cursor ?? 0)),
  );
  return api;
}

const auditView = (row: AuditRow): AuditItem => ({
  ...row,
  at: iso(row.at),
  body: z.record(z.string(), z.unknown()).parse(JSON.parse(row.body)),
});
