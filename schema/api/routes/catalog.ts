/** Rows of intent one by one: the same verbs for every kind. */
import { type Kind, kinds } from "../../intent.ts";
import type { RouteName } from "../access.ts";
import { Committed } from "../commits.ts";
import { Page, pageOf } from "../common.ts";
import { MemberParams, OverlayParam, rowParams } from "../params.ts";
import type { Route } from "../route.ts";
import { RowItems, WriteQuery } from "../rows.ts";

type Named = Exclude<Kind, "member" | "host">;

const capital = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;

const writes = {
  tag: "catalog",
  query: WriteQuery,
  problems: [
    "conflict",
    "release_staged",
    "stale_parent",
    "precondition_failed",
    "invalid_intent",
    "busy",
  ],
} as const;
const writeHeaders = ["If-Match", "If-None-Match", "Portcullis-On-Behalf-Of"] as const;

const makeListRoute = <K extends Named>(kind: K) =>
  ({
    id: `list${capital(kind)}s`,
    summary: `All ${kind}s, by key`,
    tag: "catalog",
    query: Page,
    answers: { 200: pageOf(RowItems[kind] as (typeof RowItems)[K]) },
  }) satisfies Route;

const read = <K extends Named>(kind: K) =>
  ({
    id: `get${capital(kind)}`,
    summary: `One ${kind}`,
    tag: "catalog",
    params: rowParams[kind] as (typeof rowParams)[K],
    answers: { 200: RowItems[kind] as (typeof RowItems)[K] },
    answerHeaders: ["ETag"],
  }) satisfies Route;

const put = <K extends Exclude<Kind, "member">>(kind: K) =>
  ({
    ...writes,
    id: `put${capital(kind)}`,
    summary: `Declare one ${kind}`,
    params: rowParams[kind] as (typeof rowParams)[K],
    headers: writeHeaders,
    body: kinds[kind].body as (typeof kinds)[K]["body"],
    answers: { 200: Committed, 201: Committed },
    answerHeaders: ["ETag"],
  }) satisfies Route;

const remove = <K extends Exclude<Kind, "member">>(kind: K) =>
  ({
    ...writes,
    id: `delete${capital(kind)}`,
    summary: `Delete one ${kind} that nothing refers to`,
    params: rowParams[kind] as (typeof rowParams)[K],
    headers: writeHeaders,
    answers: { 200: Committed },
  }) satisfies Route;

export const catalogRoutes = {
  "GET /v1/zones": makeListRoute("zone"),
  "GET /v1/zones/:zone": read("zone"),
  "PUT /v1/zones/:zone": put("zone"),
  "DELETE /v1/zones/:zone": remove("zone"),

  "GET /v1/services": makeListRoute("service"),
  "GET /v1/services/:service": read("service"),
  "PUT /v1/services/:service": put("service"),
  "DELETE /v1/services/:service": remove("service"),

  "PUT /v1/hosts/:host": put("host"),
  "DELETE /v1/hosts/:host": remove("host"),

  "GET /v1/overlays": makeListRoute("overlay"),
  "GET /v1/overlays/:overlay": read("overlay"),
  "PUT /v1/overlays/:overlay": put("overlay"),
  "DELETE /v1/overlays/:overlay": remove("overlay"),

  "GET /v1/overlays/:overlay/members": {
    id: "listMembers",
    summary: "An overlay's members, by key",
    tag: "catalog",
    params: OverlayParam,
    query: Page,
    answers: { 200: pageOf(RowItems.member) },
  },
  "GET /v1/overlays/:overlay/members/:cn": {
    id: "getMember",
    summary: "One member",
    tag: "catalog",
    params: MemberParams,
    answers: { 200: RowItems.member },
    answerHeaders: ["ETag"],
  },
  "PUT /v1/overlays/:overlay/members/:cn": {
    ...writes,
    id: "putMember",
    summary: "Declare a member, or move it to another group",
    params: MemberParams,
    headers: writeHeaders,
    body: kinds.member.body,
    answers: { 200: Committed, 201: Committed },
    answerHeaders: ["ETag"],
  },
  "DELETE /v1/overlays/:overlay/members/:cn": {
    ...writes,
    id: "deleteMember",
    summary: "Delete a member",
    params: MemberParams,
    headers: writeHeaders,
    answers: { 200: Committed },
  },
} as const satisfies Partial<Record<RouteName, Route>>;
