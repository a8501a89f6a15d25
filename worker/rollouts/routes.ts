/** Rollouts: starting one, reading it, and what a person may do to it. */
import { type Context, Hono } from "hono";
import type { RolloutHost } from "#schema/api/rollouts.ts";
import type { RolloutView } from "#schema/rollout.ts";
import { RolloutAction } from "#schema/rollout.ts";
import { hasTag } from "#worker/http/etag.ts";
import type { Ports } from "#worker/ports/index.ts";
import { noRollout, Refused } from "#worker/lib/refused.ts";
import { act } from "./act.ts";
import { readRollout } from "./read.ts";
import { startRollout } from "./start.ts";
import type { Entry, Evidence } from "#core/rollout/state.ts";
import { readEvidence } from "#worker/reports/index.ts";
import { listRollouts, readHostPage } from "./rows.ts";
import { authorOf } from "#worker/tokens/index.ts";
import { serveRoute } from "#worker/http/serve.ts";
import type { AppEnv } from "#worker/http/env.ts";
import { streamRollout, viewTag } from "./events.ts";
import { iso, makePage } from "#worker/http/views.ts";

export function routeRollouts(ports: Ports): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  addStart(api, ports);
  addLists(api, ports);
  addOne(api, ports);
  addActions(api, ports);
  return api;
}

function addStart(api: Hono<AppEnv>, ports: Ports): void {
  serveRoute(api, "POST /v1/rollouts", async (c, { body }) => {
    const { id, supersedes } = await startRollout(ports, authorOf(c), body);
    c.header("Location", `/v1/rollouts/${id}`);
    return c.json({ ...(await requireRollout(ports, id)), supersedes }, 201);
  });
}

function addLists(api: Hono<AppEnv>, ports: Ports): void {
  serveRoute(api, "GET /v1/rollouts", async (c, { query }) => {
    const { limit, cursor: before, status } = query;
    const ids = await listRollouts(ports.sql, { before, status, limit });
    const views = await Promise.all(ids.map((id) => requireRollout(ports, id)));
    return c.json(
      makePage(
        views,
        limit,
        (view) => view,
        ({ id }) => String(id),
      ),
    );
  });
  serveRoute(api, "GET /v1/rollouts/:id/hosts", async (c, { params, query }) => {
    const { limit, cursor = "", ...only } = query;
    const { id } = params;
    const hosts = await readHostPage(ports.sql, id, { ...only, cursor, limit });
    if (hosts.length === 0) await requireRollout(ports, id);
    const said = await readEvidence(
      ports.sql,
      hosts.map(({ host }) => host),
    );
    return c.json(
      makePage(
        hosts,
        limit,
        (entry) => hostView(entry, said.get(entry.host)),
        ({ host, phase }) => `${host} ${phase}`,
      ),
    );
  });
}

const hostView = (
  { host, phase, wave, standing, seq, detail }: Entry,
  said: Evidence | undefined,
): RolloutHost => ({
  host,
  phase,
  wave,
  standing,
  seq,
  detail,
  reported:
    said === undefined
      ? null
      : {
          at: iso(said.receivedAt),
          state: said.state,
          applied_seq: said.appliedSeq,
          refusal: said.refusal,
        },
});

function addOne(api: Hono<AppEnv>, ports: Ports): void {
  serveRoute(api, "GET /v1/rollouts/:id", async (c, { params }) => {
    const { id } = params;
    const view = await requireRollout(ports, id);
    c.header("Vary", "Accept");
    return c.req.header("Accept")?.includes("text/event-stream") === true
      ? streamRollout(c, ports, view)
      : answerView(c, view);
  });
}

async function answerView(c: Context<AppEnv>, view: RolloutView): Promise<Response> {
  const tag = `"${await viewTag(view)}"`;
  c.header("ETag", tag);
  return hasTag(c.req.header("If-None-Match"), tag) ? c.body(null, 304) : c.json(view);
}

/** @throws Refused `not_found` */
async function requireRollout(ports: Ports, id: number): Promise<RolloutView> {
  const view = await readRollout(ports.sql, id);
  if (view === undefined) throw new Refused("not_found", noRollout);
  return view;
}

function addActions(api: Hono<AppEnv>, ports: Ports): void {
  for (const action of RolloutAction.options) {
    const path = `/v1/rollouts/:id/${action}` as const;
    serveRoute(api, `POST ${path}` as const, async (c, { params, body }) => {
      const { id } = params;
      await act(ports, authorOf(c), id, action, body);
      return c.json(await requireRollout(ports, id));
    });
  }
}
