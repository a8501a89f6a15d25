/** The history of intent, and what any revision meant for a host. */
import { type Context, Hono } from "hono";
import * as z from "zod";
import { compileHosts } from "#compile/index.ts";
import { emptyInventory, render, transaction } from "#render/index.ts";
import { NumberedPage, pageOf } from "#schema/api/common.ts";
import { RevisionDetail, RevisionItem } from "#schema/api/commits.ts";
import { Guard } from "#schema/guard.ts";
import { Key } from "#schema/primitives.ts";
import { Ruleset } from "#schema/ruleset.ts";
import type { Ports } from "../ports.ts";
import { problem } from "../problem.ts";
import { findRevision, listRevisions, readIntent, snapshotOf } from "../store/intent.ts";
import { readHostStatus } from "../store/status.ts";
import { describe } from "./describe.ts";
import type { AppEnv } from "./env.ts";
import { params, query } from "./input.ts";
import { pageView, revisionDetailView, revisionView } from "./views.ts";

/** A revision in a path: digits and nothing else, so that `12abc` is not 12. */
const RevisionNumber = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,14})$/)
  .transform(Number);

export function revisions(ports: Ports): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  api.get(
    "/v1/revisions",
    describe("GET /v1/revisions", "Revisions, newest first", { 200: pageOf(RevisionItem) }),
    query(NumberedPage),
    async (c) => {
      const { limit, cursor } = c.req.valid("query");
      const rows = await listRevisions(ports.sql, {
        limit,
        ...(cursor === undefined ? {} : { before: cursor }),
      });
      return c.json(pageView(rows, limit, revisionView, (row) => String(row.n)));
    },
  );
  api.get(
    "/v1/revisions/:revision",
    describe("GET /v1/revisions/:revision", "One revision with the rows it changed", {
      200: RevisionDetail,
    }),
    params(z.strictObject({ revision: RevisionNumber })),
    async (c) => {
      const found = await findRevision(ports.sql, c.req.valid("param").revision);
      return found === undefined ? problem(c, "not_found") : c.json(revisionDetailView(found));
    },
  );
  api.get(
    "/v1/revisions/:revision/hosts/:host/ruleset",
    describe("GET /v1/revisions/:revision/hosts/:host/ruleset", "What a revision means for a host", {
      200: Ruleset,
    }),
    params(z.strictObject({ revision: RevisionNumber, host: Key })),
    query(z.strictObject({ format: z.enum(["json", "nft"]).default("json") })),
    (c) => answerRuleset(c, ports, c.req.valid("param"), c.req.valid("query").format),
  );
  return api;
}

/** Compiles the revision again, with the function that publishing used: a preview cannot mean something else. */
async function answerRuleset(
  c: Context<AppEnv>,
  ports: Ports,
  { revision, host }: { readonly revision: number; readonly host: string },
  format: "json" | "nft",
): Promise<Response> {
  const intent = await readIntent(ports.sql, revision);
  if (intent === undefined) return problem(c, "not_found");
  const compiled = compileHosts(snapshotOf(intent.revision, intent.rows), [host]);
  if (!compiled.ok) throw new Error(`revision ${revision} no longer compiles`);
  const ruleset = compiled.rulesets.get(host);
  if (ruleset === undefined) return problem(c, "not_found");
  if (format === "json") return c.json(ruleset);
  const { report } = await readHostStatus(ports.sql, host);
  const rendered = render(ruleset, report?.body.guard ?? unknownGuard);
  if (!rendered.ok) return problem(c, "conflict", { detail: rendered.message });
  return c.text(transaction(rendered.program, emptyInventory));
}

/** The management plane belongs to the host (law 3): before it reported its guard, a preview shows no rules for it. */
const unknownGuard: Guard = {
  ...Guard.parse({ management: { interfaces: ["lo"] } }),
  management: { interfaces: [], allow: [] },
};
