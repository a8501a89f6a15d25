/** Overlays and their members. */
import { Hono } from "hono";
import { memberKey } from "#schema/intent.ts";
import type { Ports } from "#worker/ports/index.ts";
import { answerProblem } from "#worker/http/problem.ts";
import { findRow } from "#worker/intent/index.ts";
import { serveRoute } from "#worker/http/serve.ts";
import type { AppEnv } from "#worker/http/env.ts";
import { answerRow, answerRows } from "./row-read.ts";
import { addList, addRead, addWrites } from "./row-routes.ts";
import { writeRow } from "./row-write.ts";

export function routeOverlays(ports: Ports): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  addList(api, ports, "overlays");
  addRead(api, ports, "overlays");
  addWrites(api, ports, "overlays");
  addMembers(api, ports);
  return api;
}

function addMembers(api: Hono<AppEnv>, ports: Ports): void {
  serveRoute(api, "GET /v1/overlays/:overlay/members", async (c, { params, query }) => {
    const { overlay } = params;
    if ((await findRow(ports.sql, "overlay", overlay)) === undefined)
      return answerProblem(c, "not_found", { detail: "There is no overlay of this name." });
    return answerRows(c, ports, "member", query, memberKey(overlay, ""));
  });
  serveRoute(api, "GET /v1/overlays/:overlay/members/:cn", (c, { params }) =>
    answerRow(c, ports, "member", keyOf(params)),
  );
  serveRoute(api, "PUT /v1/overlays/:overlay/members/:cn", (c, { params, query, body }) => {
    const key = keyOf(params);
    const change = { op: "put", kind: "member", key, body: body } as const;
    return writeRow(c, ports, change, query);
  });
  serveRoute(api, "DELETE /v1/overlays/:overlay/members/:cn", (c, { params, query }) => {
    const change = { op: "delete", kind: "member", key: keyOf(params) } as const;
    return writeRow(c, ports, change, query);
  });
}

const keyOf = ({ overlay, cn }: { readonly overlay: string; readonly cn: string }): string =>
  memberKey(overlay, cn);
