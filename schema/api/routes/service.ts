/** Operators' own affairs: tokens, the audit log, the service. */
import type { RouteName } from "../access.ts";
import { NumberedPage, Page, pageOf } from "../common.ts";
import { TokenParam } from "../params.ts";
import type { Route } from "../route.ts";
import { AuditItem, AuditVerified, Health, VerifyQuery } from "../service.ts";
import { NewToken, NewTokenRequest, TokenItem, Whoami } from "../tokens.ts";

export const serviceRoutes = {
  "GET /healthz": {
    id: "getHealth",
    summary: "Is the service able to answer?",
    tag: "service",
    answers: { 200: Health },
  },
  "GET /openapi.json": {
    id: "getDocument",
    summary: "This document",
    tag: "service",
    answers: { 200: { content: { "application/json": null } } },
  },
  "GET /v1/metrics": {
    id: "getMetrics",
    summary: "Expiries and hosts by state, for Prometheus",
    tag: "service",
    answers: { 200: { content: { "text/plain; version=0.0.4": null } } },
  },
  "GET /v1/audit": {
    id: "listAudit",
    summary: "Who did what, newest first",
    tag: "operators",
    query: NumberedPage,
    answers: { 200: pageOf(AuditItem) },
  },
  "GET /v1/audit/verify": {
    id: "verifyAudit",
    summary:
      "Whether the audit chain and the rows of each commit are as they were written, part by part",
    tag: "operators",
    query: VerifyQuery,
    answers: { 200: AuditVerified },
  },
  "GET /v1/whoami": {
    id: "whoAmI",
    summary: "Whose token asks, what it may and until when",
    tag: "operators",
    answers: { 200: Whoami },
  },
  "GET /v1/tokens": {
    id: "listTokens",
    summary: "Tokens, without their secrets",
    tag: "operators",
    query: Page,
    answers: { 200: pageOf(TokenItem) },
  },
  "POST /v1/tokens": {
    id: "createToken",
    summary: "Make a token; it is shown this once",
    tag: "operators",
    body: NewTokenRequest,
    answers: { 201: NewToken },
    problems: ["conflict"],
  },
  "DELETE /v1/tokens/:id": {
    id: "revokeToken",
    summary: "Revoke a token",
    tag: "operators",
    params: TokenParam,
    answers: { 200: TokenItem },
  },
} as const satisfies Partial<Record<RouteName, Route>>;
