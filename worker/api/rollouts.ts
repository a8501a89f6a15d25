/** Rollouts: starting one, watching it, and what a person may do to it. */
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import * as z from "zod";
import {
  HostStanding,
  Phase,
  PinRequest,
  RolloutAction,
  RolloutActionRequest,
  RolloutRequest,
  RolloutView,
} from "#schema/rollout.ts";
import type { Ports } from "../ports.ts";
import { problem, Refused } from "../problem.ts";
import { act } from "../release/act.ts";
import { pin, unpin } from "../release/pin.ts";
import { readRollout } from "../release/read.ts";
import { startRollout } from "../release/start.ts";
import { listRollouts, pageOfHosts } from "../store/rollout.ts";
import { principalOf } from "./authorize.ts";
import { describe } from "./describe.ts";
import type { AppEnv } from "./env.ts";
import { jsonBody, NumberedPage, Page, params, query } from "./input.ts";
import { HostParam } from "./rows.ts";
import { pageOf, pageView } from "./views.ts";

const Id = z.coerce.number().int().min(1);
const StartedView = z.strictObject({ ...RolloutView.shape, supersedes: z.array(z.int()) });
const PinView = z.strictObject({ host: z.string(), pinned: z.boolean() });
const HostView = z.strictObject({
  host: z.string(),
  phase: Phase,
  wave: z.int(),
  standing: HostStanding,
  seq: z.int().nullable(),
  detail: z.string(),
});

export function rollouts(ports: Ports): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  addStart(api, ports);
  addReads(api, ports);
  addActions(api, ports);
  addPins(api, ports);
  return api;
}

function addStart(api: Hono<AppEnv>, ports: Ports): void {
  api.post(
    "/v1/rollouts",
    describe("POST /v1/rollouts", "Bring what is withheld to hosts, wave by wave", { 201: StartedView }),
    ...jsonBody(RolloutRequest),
    async (c) => {
      const { id, supersedes } = await startRollout(ports, principalOf(c).name, c.req.valid("json"));
      return c.json({ ...(await known(ports, id)), supersedes }, 201);
    },
  );
}

/** How often an open event stream looks for news, in milliseconds. */
const lookEvery = 1000;

function addReads(api: Hono<AppEnv>, ports: Ports): void {
  api.get(
    "/v1/rollouts",
    describe("GET /v1/rollouts", "All rollouts, newest first", { 200: pageOf(RolloutView) }),
    query(NumberedPage),
    async (c) => {
      const { limit, cursor } = c.req.valid("query");
      const before = cursor === undefined ? {} : { before: cursor };
      const ids = await listRollouts(ports.sql, { ...before, limit });
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
    "/v1/rollouts/:id",
    describe("GET /v1/rollouts/:id", "One rollout; as events while it changes, for text/event-stream", {
      200: RolloutView,
    }),
    params(z.strictObject({ id: Id })),
    async (c) => {
      const { id } = c.req.valid("param");
      const view = await known(ports, id);
      if (c.req.header("Accept") !== "text/event-stream") return c.json(view);
      return streamSSE(c, async (stream) => {
        let last = "";
        for (let current = view; !stream.aborted; current = await known(ports, id)) {
          const data = JSON.stringify(current);
          if (data !== last) await stream.writeSSE({ event: "rollout", data });
          last = data;
          if (current.status === "completed" || current.status === "superseded") return;
          await stream.sleep(lookEvery);
        }
      });
    },
  );
  api.get(
    "/v1/rollouts/:id/hosts",
    describe("GET /v1/rollouts/:id/hosts", "Where each host of a rollout stands, by host and phase", {
      200: pageOf(HostView),
    }),
    params(z.strictObject({ id: Id })),
    query(Page),
    async (c) => {
      const { limit, cursor = "" } = c.req.valid("query");
      const { id } = c.req.valid("param");
      await known(ports, id);
      const hosts = await pageOfHosts(ports.sql, id, cursor, limit);
      return c.json(
        pageView(
          hosts,
          limit,
          ({ host, phase, wave, standing, seq, detail }) => ({ host, phase, wave, standing, seq, detail }),
          ({ host, phase }) => `${host} ${phase}`,
        ),
      );
    },
  );
}

/** @throws Refused `not_found` */
async function known(ports: Ports, id: number): Promise<z.infer<typeof RolloutView>> {
  const view = await readRollout(ports.sql, id);
  if (view === undefined) throw new Refused("not_found");
  return view;
}

function addActions(api: Hono<AppEnv>, ports: Ports): void {
  for (const action of RolloutAction.options) {
    const path = `/v1/rollouts/:id/${action}` as const;
    api.post(
      path,
      describe(`POST ${path}`, `To ${action} a rollout`, { 200: RolloutView }),
      params(z.strictObject({ id: Id })),
      ...jsonBody(RolloutActionRequest),
      async (c) => {
        const { id } = c.req.valid("param");
        await act(ports, principalOf(c).name, id, action, c.req.valid("json"));
        return c.json(await known(ports, id));
      },
    );
  }
}

function addPins(api: Hono<AppEnv>, ports: Ports): void {
  api.put(
    "/v1/hosts/:host/pin",
    describe("PUT /v1/hosts/:host/pin", "Keep a host where it is", { 200: PinView }),
    params(HostParam),
    ...jsonBody(PinRequest),
    async (c) => {
      const { host } = c.req.valid("param");
      await pin(ports, principalOf(c).name, host, c.req.valid("json"));
      return c.json({ host, pinned: true });
    },
  );
  api.delete(
    "/v1/hosts/:host/pin",
    describe("DELETE /v1/hosts/:host/pin", "Let rollouts reach a host again", { 200: PinView }),
    params(HostParam),
    async (c) => {
      const { host } = c.req.valid("param");
      if (!(await unpin(ports, principalOf(c).name, host))) return problem(c, "not_found");
      return c.json({ host, pinned: false });
    },
  );
}
