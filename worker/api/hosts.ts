/** Hosts as declared, and their status as published and reported. */
import { Hono } from "hono";
import * as z from "zod";
import { Host } from "#schema/intent.ts";
import { AgentState } from "#schema/wire.ts";
import { refusalCodes } from "#schema/errors.ts";
import type { Ports } from "../ports.ts";
import { problem } from "../problem.ts";
import { findRow } from "../store/intent.ts";
import { type HostStatus, readHostStatus } from "../store/status.ts";
import { describe } from "./describe.ts";
import type { AppEnv } from "./env.ts";
import { jsonBody, Page, params, query } from "./input.ts";
import { answerRow, answerRows, HostParam } from "./rows.ts";
import { CommitView, iso, pageOf, RowViews } from "./views.ts";
import { writeRow } from "./write.ts";

/** `current`: the last report says that the kernel holds what is published. */
const StatusView = z.strictObject({
  host: z.string(),
  current: z.boolean(),
  published: z
    .strictObject({
      seq: z.int(),
      revision: z.int(),
      bundle_sha256: z.string(),
      lease_issued_at: z.iso.datetime(),
      lease_expires_at: z.iso.datetime(),
    })
    .nullable(),
  enrolled_at: z.iso.datetime().nullable(),
  revoked_at: z.iso.datetime().nullable(),
  report: z
    .strictObject({
      received_at: z.iso.datetime(),
      state: AgentState,
      applied_seq: z.int().nullable(),
      applied_revision: z.int().nullable(),
      applied_bundle_sha256: z.string().nullable(),
      refusal: z.strictObject({ code: z.enum(refusalCodes), at: z.iso.datetime() }).nullable(),
      agent_version: z.string(),
      renderer: z.string(),
    })
    .nullable(),
});

export function hosts(ports: Ports): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  api.get(
    "/v1/hosts",
    describe("GET /v1/hosts", "Hosts, by key", { 200: pageOf(RowViews.host) }),
    query(Page),
    (c) => answerRows(c, ports, "host", c.req.valid("query")),
  );
  api.get(
    "/v1/hosts/:host",
    describe("GET /v1/hosts/:host", "One host", { 200: RowViews.host }),
    params(HostParam),
    (c) => answerRow(c, ports, "host", c.req.valid("param").host),
  );
  api.put(
    "/v1/hosts/:host",
    describe("PUT /v1/hosts/:host", "Declare a host", { 200: CommitView, 201: CommitView }),
    params(HostParam),
    ...jsonBody(Host, "invalid_intent"),
    (c) =>
      writeRow(c, ports, {
        op: "put",
        kind: "host",
        key: c.req.valid("param").host,
        body: c.req.valid("json"),
      }),
  );
  api.delete(
    "/v1/hosts/:host",
    describe("DELETE /v1/hosts/:host", "Delete a host that nothing refers to", { 200: CommitView }),
    params(HostParam),
    (c) => writeRow(c, ports, { op: "delete", kind: "host", key: c.req.valid("param").host }),
  );
  api.get(
    "/v1/hosts/:host/status",
    describe("GET /v1/hosts/:host/status", "What a host is served and what it last said", {
      200: StatusView,
    }),
    params(HostParam),
    async (c) => {
      const { host } = c.req.valid("param");
      if ((await findRow(ports.sql, "host", host)) === undefined) return problem(c, "not_found");
      return c.json(statusView(host, await readHostStatus(ports.sql, host)));
    },
  );
  return api;
}

function statusView(host: string, { served, identity, report }: HostStatus): z.infer<typeof StatusView> {
  const applied = report?.body.applied ?? null;
  return {
    host,
    current: served !== undefined && applied?.bundle_sha256 === served.bundle_sha256,
    published:
      served === undefined
        ? null
        : {
            ...served,
            lease_issued_at: iso(served.lease_issued_at),
            lease_expires_at: iso(served.lease_expires_at),
          },
    enrolled_at: isoOrNull(identity?.enrolled_at),
    revoked_at: isoOrNull(identity?.revoked_at),
    report: report === undefined ? null : reportView(report),
  };
}

function reportView({ received_at, body }: NonNullable<HostStatus["report"]>) {
  const { state, applied, refusal, agent_version, renderer } = body;
  return {
    received_at: iso(received_at),
    state,
    applied_seq: applied?.seq ?? null,
    applied_revision: applied?.revision ?? null,
    applied_bundle_sha256: applied?.bundle_sha256 ?? null,
    refusal: refusal === null ? null : { code: refusal.code, at: refusal.at },
    agent_version,
    renderer,
  };
}

const isoOrNull = (milliseconds: number | null | undefined): string | null =>
  milliseconds === null || milliseconds === undefined ? null : iso(milliseconds);
