/** The verbs of one row, the same for every kind that is keyed by one name: read, declare, delete. */
import type { Hono } from "hono";
import { Change } from "#schema/intent.ts";
import type { Ports } from "#worker/ports/index.ts";
import { serveRoute } from "#worker/http/serve.ts";
import type { AppEnv } from "#worker/http/env.ts";
import { answerRow, answerRows } from "./row-read.ts";
import { writeRow } from "./row-write.ts";

/** A kind keyed by one name, by the collection it is found in. */
const named = { hosts: "host", overlays: "overlay", services: "service", zones: "zone" } as const;
type Collection = keyof typeof named;

/** `GET /v1/<collection>`: rows by key, page by page. */
export function addList(api: Hono<AppEnv>, ports: Ports, collection: Collection): void {
  const kind = named[collection];
  serveRoute(api, `GET /v1/${collection}`, (c, { query }) => answerRows(c, ports, kind, query));
}

/** `PUT` and `DELETE` of `/v1/<collection>/<key>`, each with the preconditions of the request's headers. */
export function addWrites(api: Hono<AppEnv>, ports: Ports, collection: Collection): void {
  const kind = named[collection];
  const path = `/v1/${collection}/:${kind}` as const;
  serveRoute(api, `PUT ${path}` as PutRoute, (c, { query, body }) => {
    const key = c.req.param(kind);
    const change = Change.parse({ op: "put", kind, key, body });
    return writeRow(c, ports, change, query);
  });
  serveRoute(api, `DELETE ${path}` as DeleteRoute, (c, { query }) => {
    const change = Change.parse({ op: "delete", kind, key: c.req.param(kind) });
    return writeRow(c, ports, change, query);
  });
}

/** `GET /v1/<collection>/<key>`. */
export function addRead(api: Hono<AppEnv>, ports: Ports, collection: Collection): void {
  const kind = named[collection];
  const path = `/v1/${collection}/:${kind}` as const;
  serveRoute(api, `GET ${path}` as GetRoute, (c) =>
    answerRow(c, ports, kind, c.req.param(kind) ?? ""),
  );
}

type Path = { [C in Collection]: `/v1/${C}/:${(typeof named)[C]}` }[Collection];
type GetRoute = `GET ${Path}`;
type PutRoute = `PUT ${Path}`;
type DeleteRoute = `DELETE ${Path}`;
