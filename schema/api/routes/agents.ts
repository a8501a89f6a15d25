/** What hosts call; the shapes stand in schema/wire.ts. */
import {
  Confirmation,
  EnrolRequest,
  EnrolResponse,
  headers,
  Report,
  ReportResponse,
  TokenRequest,
  TokenResponse,
  Update,
} from "../../wire.ts";
import type { RouteName } from "../access.ts";
import type { Route } from "../route.ts";

/** Not on any list of types that caches compress, because compression turns strong tags weak. */
export const updateMedia = "application/vnd.portcullis.update";

export const agentRoutes = {
  "POST /v1/agent/enrol": {
    id: "agentEnrol",
    summary: "Trade a one-time token for an identity",
    tag: "agents",
    body: EnrolRequest,
    answers: { 201: EnrolResponse },
    problems: ["unauthenticated", "token_used", "root_mismatch", "too_many_requests"],
  },
  "POST /v1/agent/token": {
    id: "agentToken",
    summary: "Prove the host's key, get a token",
    tag: "agents",
    body: TokenRequest,
    form: true,
    answers: { 200: TokenResponse },
    problems: ["unauthenticated", "too_many_requests"],
  },
  "GET /v1/agent/update": {
    id: "agentUpdate",
    summary: "The host's own repository, if it is new",
    tag: "agents",
    headers: ["If-None-Match", headers.seen, headers.bundle, headers.generation, headers.renew],
    answers: { 200: { content: { [updateMedia]: Update } }, 304: null },
    answerHeaders: ["ETag", headers.generation, headers.pollAfter],
    problems: ["bad_request", "root_missing", "too_many_requests"],
  },
  "POST /v1/agent/report": {
    id: "agentReport",
    summary: "What happened on the host",
    tag: "agents",
    body: Report,
    answers: { 200: ReportResponse },
    problems: ["too_many_requests"],
  },
  "POST /v1/agent/confirm": {
    id: "agentConfirm",
    summary: "A host under a new ruleset gets here",
    tag: "agents",
    body: Confirmation,
    answers: { 200: Confirmation },
  },
} as const satisfies Partial<Record<RouteName, Route>>;
