/** Overlays and their members. */
import { Hono } from "hono";
import { memberKey } from "#schema/intent.ts";
import type { Ports } from "#worker/ports/index.ts";
import { problem } from "#worker/http/problem.ts";
import { findRow } from "#worker/intent/index.ts";
import { serve } from "#worker/http/serve.ts";
import type { AppEnv } from "#worker/http/env.ts";
import { answerRow, answerRows } from "./row-read.ts";
import { addList, addRead, addWrites } from "./row-routes.ts";
import { writeRow } from "./row-write.ts";

export function overlays(ports: Ports): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  addList(api, ports, "overlays");
  addRead(api, ports, "overlays");
  addWrites(api, ports, "overlays");
  addMembers(api, ports);
  return api;
}

function addMembers(api: Hono<AppEnv>, ports: Ports): void {
  serve(api, "GET /v1/overlays/:overlay/members", async (c, { params, query }) => {
    const { overlay } = params;
    if ((await findRow(ports.sql, "overlay", overlay)) === undefined)
      return problem(c, "not_found", { detail: "There is no overlay of this name." });
    return answerRows(c, ports, "member", query, memberKey(overlay, ""));
  });
  serve(api, "GET /v1/overlays/:overlay/members/:cn", (c, { params }) =>
    answerRow(c, ports, "member", keyOf(params)),
  );
  serve(api, "PUT /v1/overlays/:overlay/members/:cn", (c, { params, query, body }) => {
    const key = keyOf(params);
    const change = { op: "put", kind: "member", key, body: body } as const;
    return writeRow(c, ports, change, query);
  });
  serve(api, "DELETE /v1/overlays/:overlay/members/:cn", (c, { params, query }) => {
    const change = { op: "delete", kind: "member", key: keyOf(params) } as const;
    return writeRow(c, ports, change, query);
  });
}

const keyOf = ({ overlay, cn }: { readonly overlay: string; readonly cn: string }): string =>
  memberKey(overlay, cn);
