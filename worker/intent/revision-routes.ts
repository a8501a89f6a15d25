/** The history of intent, and what any revision meant for a host. */
import { type Context, Hono } from "hono";
import { compileHosts } from "#core/compile/index.ts";
import { emptyInventory, render, transaction } from "#core/render/index.ts";
import { Guard } from "#schema/guard.ts";
import type { Ports } from "#worker/ports/index.ts";
import { answerProblem } from "#worker/http/problem.ts";
import { findRevision, listRevisions, readIntent, snapshotOf } from "./rows.ts";
import { readHostStatus } from "#worker/hosts/index.ts";
import { serveRoute } from "#worker/http/serve.ts";
import type { AppEnv } from "#worker/http/env.ts";
import { makeRevisionDetail, revisionView } from "./views.ts";
import { makePage } from "#worker/http/views.ts";

export function routeRevisions(ports: Ports): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  serveRoute(api, "GET /v1/revisions", async (c, { query }) => {
    const { limit, cursor } = query;
    const rows = await listRevisions(ports.sql, {
      limit,
      ...(cursor === undefined ? {} : { before: cursor }),
    });
    return c.json(makePage(rows, limit, revisionView, (row) => String(row.n)));
  });
  serveRoute(api, "GET /v1/revisions/:revision", async (c, { params }) => {
    const found = await findRevision(ports.sql, params.revision);
    return found === undefined
      ? answerProblem(c, "not_found", noRevision)
      : c.json(makeRevisionDetail(found));
  });
  serveRoute(api, "GET /v1/revisions/:revision/hosts/:host/ruleset", (c, { params, query }) =>
    answerRuleset(c, ports, params, query.format),
  );
  return api;
}

const noRevision = { detail: "There is no such revision yet." };

/** Compiles the revision again, with the function that publishing used: a preview cannot mean something else. */
async function answerRuleset(
  c: Context<AppEnv>,
  ports: Ports,
  { revision, host }: { readonly revision: number; readonly host: string },
  format: "json" | "nft",
): Promise<Response> {
  const intent = await readIntent(ports.sql, revision);
  if (intent === undefined) return answerProblem(c, "not_found", noRevision);
  const compiled = compileHosts(snapshotOf(intent.revision, intent.rows), [host]);
  if (!compiled.ok) throw new Error(`revision ${revision} no longer compiles`);
  const ruleset = compiled.rulesets.get(host);
  if (ruleset === undefined)
    return answerProblem(c, "not_found", { detail: "The host is not declared at this revision." });
  if (format === "json") return c.json(ruleset);
  const { report } = await readHostStatus(ports.sql, host);
  const rendered = render(ruleset, report?.body.guard ?? unknownGuard);
  if (!rendered.ok) return answerProblem(c, "conflict", { detail: rendered.message });
  return c.text(transaction(rendered.program, emptyInventory));
}

/** The management plane belongs to the host (law 3): before it reported its guard, a preview shows no rules for it. */
const unknownGuard: Guard = {
  ...Guard.parse({ management: { interfaces: ["lo"] } }),
  management: { interfaces: [], allow: [] },
};
