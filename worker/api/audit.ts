/** The audit chain, for those who ask who decided what. */
import { Hono } from "hono";
import * as z from "zod";
import type { AuditItem } from "#schema/api/service.ts";
import type { Ports } from "../ports.ts";
import { type AuditRow, listAudit } from "../store/audit.ts";
import { serve } from "./serve.ts";
import type { AppEnv } from "./env.ts";
import { iso, pageView } from "./views.ts";

export function audit(ports: Ports): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  serve(api, "GET /v1/audit", async (c, { query }) => {
    const { limit, cursor } = query;
    const rows = await listAudit(ports.sql, { limit, ...(cursor === undefined ? {} : { before: cursor }) });
    return c.json(pageView(rows, limit, auditView, (row) => String(row.seq)));
  });
  return api;
}

const auditView = (row: AuditRow): AuditItem => ({
  ...row,
  at: iso(row.at),
  body: z.record(z.string(), z.unknown()).parse(JSON.parse(row.body)),
});
