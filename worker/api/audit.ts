/** The audit chain, for those who ask who decided what. */
import { Hono } from "hono";
import * as z from "zod";
import { NumberedPage, pageOf } from "#schema/api/common.ts";
import { AuditItem } from "#schema/api/service.ts";
import type { Ports } from "../ports.ts";
import { type AuditRow, listAudit } from "../store/audit.ts";
import { describe } from "./describe.ts";
import type { AppEnv } from "./env.ts";
import { query } from "./input.ts";
import { iso, pageView } from "./views.ts";

export function audit(ports: Ports): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  api.get(
    "/v1/audit",
    describe("GET /v1/audit", "Who did what, newest first", { 200: pageOf(AuditItem) }),
    query(NumberedPage),
    async (c) => {
      const { limit, cursor } = c.req.valid("query");
      const rows = await listAudit(ports.sql, { limit, ...(cursor === undefined ? {} : { before: cursor }) });
      return c.json(pageView(rows, limit, auditView, (row) => String(row.seq)));
    },
  );
  return api;
}

const auditView = (row: AuditRow): AuditItem => ({
  ...row,
  at: iso(row.at),
  body: z.record(z.string(), z.unknown()).parse(JSON.parse(row.body)),
});
