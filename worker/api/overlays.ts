/** Overlays and their members. */
import { Hono } from "hono";
import { Page, pageOf } from "#schema/api/common.ts";
import { Committed } from "#schema/api/commits.ts";
import { RowItems, WriteQuery } from "#schema/api/rows.ts";
import { Member, memberKey } from "#schema/intent.ts";
import type { Ports } from "../ports.ts";
import { problem } from "../problem.ts";
import { findRow } from "../store/intent.ts";
import { describe } from "./describe.ts";
import type { AppEnv } from "./env.ts";
import { jsonBody, params, query } from "./input.ts";
import { answerRow, answerRows, MemberParams, OverlayParam } from "./rows.ts";
import { addList, addRead, addWrites } from "./row-routes.ts";
import { writeRow } from "./write.ts";

export function overlays(ports: Ports): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  addList(api, ports, "overlays");
  addRead(api, ports, "overlays");
  addWrites(api, ports, "overlays");
  addMembers(api, ports);
  return api;
}

function addMembers(api: Hono<AppEnv>, ports: Ports): void {
  api.get(
    "/v1/overlays/:overlay/members",
    describe("GET /v1/overlays/:overlay/members", "An overlay's members, by key", {
      200: pageOf(RowItems.member),
    }),
    params(OverlayParam),
    query(Page),
    async (c) => {
      const { overlay } = c.req.valid("param");
      if ((await findRow(ports.sql, "overlay", overlay)) === undefined) return problem(c, "not_found");
      return answerRows(c, ports, "member", c.req.valid("query"), memberKey(overlay, ""));
    },
  );
  api.get(
    "/v1/overlays/:overlay/members/:cn",
    describe("GET /v1/overlays/:overlay/members/:cn", "One member", { 200: RowItems.member }),
    params(MemberParams),
    (c) => answerRow(c, ports, "member", keyOf(c.req.valid("param"))),
  );
  api.put(
    "/v1/overlays/:overlay/members/:cn",
    describe("PUT /v1/overlays/:overlay/members/:cn", "Declare a member, or move it to another group", {
      200: Committed,
      201: Committed,
    }),
    params(MemberParams),
    query(WriteQuery),
    ...jsonBody(Member, "invalid_intent"),
    (c) => {
      const key = keyOf(c.req.valid("param"));
      const change = { op: "put", kind: "member", key, body: c.req.valid("json") } as const;
      return writeRow(c, ports, change, c.req.valid("query"));
    },
  );
  api.delete(
    "/v1/overlays/:overlay/members/:cn",
    describe("DELETE /v1/overlays/:overlay/members/:cn", "Delete a member", { 200: Committed }),
    params(MemberParams),
    query(WriteQuery),
    (c) => {
      const change = { op: "delete", kind: "member", key: keyOf(c.req.valid("param")) } as const;
      return writeRow(c, ports, change, c.req.valid("query"));
    },
  );
}

const keyOf = ({ overlay, cn }: { readonly overlay: string; readonly cn: string }): string =>
  memberKey(overlay, cn);
