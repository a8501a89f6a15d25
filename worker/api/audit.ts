/** The audit chain, for those who ask who decided what. */
import { Hono } from "hono";
import * as z from "zod";
import type { Ports } from "../ports.ts";
import { type AuditRow, listAudit } from "../store/audit.ts";
import { describe } from "./describe.ts";
import type { AppEnv } from "./env.ts";
import { NumberedPage, query } from "./input.ts";
import { iso, pageOf, pageView } from "./views.ts";

/** `hash` covers every other field, and `prev` is the hash of the row before. */
const AuditView = z.strictObject({
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

export function audit(ports: Ports): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  api.get(
    "/v1/audit",
    describe("GET /v1/audit", "Who did what, newest first", { 200: pageOf(AuditView) }),
    query(NumberedPage),
    async (c) => {
      const { limit, cursor } = c.req.valid("query");
      const rows = await listAudit(ports.sql, { limit, ...(cursor === undefined ? {} : { before: cursor }) });
      return c.json(pageView(rows, limit, auditView, (row) => String(row.seq)));
    },
  );
  return api;
}

const auditView = (row: AuditRow) => ({
  ...row,
  at: iso(row.at),
  body: z.record(z.string(), z.unknown()).parse(JSON.parse(row.body)),
});
