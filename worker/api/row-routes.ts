/** The verbs of one row, the same for every kind that is keyed by one name: read, declare, delete. */
import type { Hono } from "hono";
import * as z from "zod";
import { Page, pageOf } from "#schema/api/common.ts";
import { Committed } from "#schema/api/commits.ts";
import { RowItems, WriteQuery } from "#schema/api/rows.ts";
import { Change, kinds } from "#schema/intent.ts";
import type { Ports } from "../ports.ts";
import { describe } from "./describe.ts";
import type { AppEnv } from "./env.ts";
import { jsonBody, params, query } from "./input.ts";
import { answerRow, answerRows } from "./rows.ts";
import { writeRow } from "./write.ts";

/** A kind keyed by one name, by the collection it is found in. */
const named = { hosts: "host", overlays: "overlay", services: "service", zones: "zone" } as const;
type Collection = keyof typeof named;

/** `GET /v1/<collection>`: rows by key, page by page. */
export function addList(api: Hono<AppEnv>, ports: Ports, collection: Collection): void {
  const kind = named[collection];
  api.get(
    `/v1/${collection}`,
    describe(`GET /v1/${collection}`, `All ${collection}, by key`, { 200: pageOf(RowItems[kind]) }),
    query(Page),
    (c) => answerRows(c, ports, kind, c.req.valid("query")),
  );
}

/** `PUT` and `DELETE` of `/v1/<collection>/<key>`, each with the preconditions of the request's headers. */
export function addWrites(api: Hono<AppEnv>, ports: Ports, collection: Collection): void {
  const kind = named[collection];
  const path = `/v1/${collection}/:${kind}` as const;
  const Params = paramsOf(collection);
  api.put(
    path,
    describe(`PUT ${path}` as PutRoute, `Declare one of the ${collection}`, {
      200: Committed,
      201: Committed,
    }),
    params(Params),
    query(WriteQuery),
    ...jsonBody(kinds[kind].body, "invalid_intent"),
    (c) => {
      const key = c.req.param(kind);
      const change = Change.parse({ op: "put", kind, key, body: c.req.valid("json") });
      return writeRow(c, ports, change, c.req.valid("query"));
    },
  );
  api.delete(
    path,
    describe(`DELETE ${path}` as DeleteRoute, `Delete one of the ${collection} that nothing refers to`, {
      200: Committed,
    }),
    params(Params),
    query(WriteQuery),
    (c) => {
      const change = Change.parse({ op: "delete", kind, key: c.req.param(kind) });
      return writeRow(c, ports, change, c.req.valid("query"));
    },
  );
}

/** `GET /v1/<collection>/<key>`. */
export function addRead(api: Hono<AppEnv>, ports: Ports, collection: Collection): void {
  const kind = named[collection];
  const path = `/v1/${collection}/:${kind}` as const;
  api.get(
    path,
    describe(`GET ${path}` as GetRoute, `One of the ${collection}`, { 200: RowItems[kind] }),
    params(paramsOf(collection)),
    (c) => answerRow(c, ports, kind, c.req.param(kind) ?? ""),
  );
}

type Path = { [C in Collection]: `/v1/${C}/:${(typeof named)[C]}` }[Collection];
type GetRoute = `GET ${Path}`;
type PutRoute = `PUT ${Path}`;
type DeleteRoute = `DELETE ${Path}`;

const paramsOf = (collection: Collection) =>
  z.strictObject({ [named[collection]]: kinds[named[collection]].key });
