/** Rollouts: starting one, reading it, and what a person may do to it. */
import { type Context, Hono } from "hono";
import * as z from "zod";
import { pageOf } from "#schema/api/common.ts";
import { RolloutHost, RolloutHostsQuery, RolloutsQuery, StartedRollout } from "#schema/api/rollouts.ts";
import { RolloutAction, RolloutActionRequest, RolloutRequest, RolloutView } from "#schema/rollout.ts";
import { namesTag } from "../etag.ts";
import type { Ports } from "../ports.ts";
import { Refused } from "../problem.ts";
import { act } from "../release/act.ts";
import { readRollout } from "../release/read.ts";
import { startRollout } from "../release/start.ts";
import type { Entry, Evidence } from "../rollout/state.ts";
import { readEvidence } from "../store/evidence.ts";
import { listRollouts, pageOfHosts } from "../store/rollout.ts";
import { principalOf } from "./authorize.ts";
import { describe } from "./describe.ts";
import type { AppEnv } from "./env.ts";
import { jsonBody, params, query } from "./input.ts";
import { streamRollout, viewTag } from "./rollout-events.ts";
import { iso, pageView } from "./views.ts";

const IdParam = z.strictObject({ id: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER) });
export function rollouts(ports: Ports): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  addStart(api, ports);
  addLists(api, ports);
  addOne(api, ports);
  addActions(api, ports);
  return api;
}

function addStart(api: Hono<AppEnv>, ports: Ports): void {
  api.post(
    "/v1/rollouts",
    describe("POST /v1/rollouts", "Bring what is withheld to hosts, wave by wave", { 201: StartedRollout }),
    ...jsonBody(RolloutRequest),
    async (c) => {
      const { id, supersedes } = await startRollout(ports, principalOf(c).name, c.req.valid("json"));
      c.header("Location", `/v1/rollouts/${id}`);
      return c.json({ ...(await known(ports, id)), supersedes }, 201);
    },
  );
}

function addLists(api: Hono<AppEnv>, ports: Ports): void {
  api.get(
    "/v1/rollouts",
    describe("GET /v1/rollouts", "Rollouts, newest first; those of one `status` where it is given", {
      200: pageOf(RolloutView),
    }),
    query(RolloutsQuery),
    async (c) => {
      const { limit, cursor: before, status } = c.req.valid("query");
      const ids = await listRollouts(ports.sql, { before, status, limit });
      const views = await Promise.all(ids.map((id) => known(ports, id)));
      return c.json(
        pageView(
          views,
          limit,
          (view) => view,
          ({ id }) => String(id),
        ),
      );
    },
  );
  api.get(
    "/v1/rollouts/:id/hosts",
    describe(
      "GET /v1/rollouts/:id/hosts",
      "Where each host of a rollout stands, by host and phase; those of one `standing`, `phase` or `wave`",
      { 200: pageOf(RolloutHost) },
    ),
    params(IdParam),
    query(RolloutHostsQuery),
    async (c) => {
      const { limit, cursor = "", ...only } = c.req.valid("query");
      const { id } = c.req.valid("param");
      const hosts = await pageOfHosts(ports.sql, id, { ...only, cursor, limit });
      if (hosts.length === 0) await known(ports, id);
      const said = await readEvidence(
        ports.sql,
        hosts.map(({ host }) => host),
      );
      return c.json(
        pageView(
          hosts,
          limit,
          (entry) => hostView(entry, said.get(entry.host)),
          ({ host, phase }) => `${host} ${phase}`,
        ),
      );
    },
  );
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
  api.get(
    "/v1/rollouts/:id",
    describe("GET /v1/rollouts/:id", "One rollout; each change as an event, for Accept: text/event-stream", {
      200: RolloutView,
    }),
    params(IdParam),
    async (c) => {
      const { id } = c.req.valid("param");
      const view = await known(ports, id);
      c.header("Vary", "Accept");
      return c.req.header("Accept")?.includes("text/event-stream") === true
        ? streamRollout(c, ports, view)
        : answerView(c, view);
    },
  );
}

async function answerView(c: Context<AppEnv>, view: RolloutView): Promise<Response> {
  const tag = `"${await viewTag(view)}"`;
  c.header("ETag", tag);
  return namesTag(c.req.header("If-None-Match"), tag) ? c.body(null, 304) : c.json(view);
}

/** @throws Refused `not_found` */
async function known(ports: Ports, id: number): Promise<RolloutView> {
  const view = await readRollout(ports.sql, id);
  if (view === undefined) throw new Refused("not_found");
  return view;
}

const summaries: Readonly<Record<RolloutAction, string>> = {
  pause: "Reach no further wave until somebody resumes it",
  resume: "Go on after a pause, a halt or a rollback; hosts that did not commit are tried again",
  halt: "Give nobody anything more; needs no reason",
  rollback: "Give hosts that took it what they had before, under a higher seq",
  skip: "Go on without the hosts that did not commit; a later rollout may bring it to them",
  force: "Go on to what is given though hosts did not confirm that they lost what others depend on",
  approve: "Approve an emergency; somebody else than who started it",
};

function addActions(api: Hono<AppEnv>, ports: Ports): void {
  for (const action of RolloutAction.options) {
    const path = `/v1/rollouts/:id/${action}` as const;
    api.post(
      path,
      describe(`POST ${path}`, summaries[action], { 200: RolloutView }),
      params(IdParam),
      ...jsonBody(RolloutActionRequest),
      async (c) => {
        const { id } = c.req.valid("param");
        await act(ports, principalOf(c).name, id, action, c.req.valid("json"));
        return c.json(await known(ports, id));
      },
    );
  }
}
