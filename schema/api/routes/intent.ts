/** Intent as a whole: rows, plans, commits, revisions. */
import { Commit } from "../../intent.ts";
import { Ruleset } from "../../ruleset.ts";
import type { RouteName } from "../access.ts";
import { Committed, Plan, PlanRequest, RevisionDetail, RevisionItem } from "../commits.ts";
import { NumberedPage, pageOf } from "../common.ts";
import { RevisionParam, RulesetParams, RulesetQuery } from "../params.ts";
import type { Route } from "../route.ts";
import { RowsPage, RowsQuery } from "../rows.ts";

export const intentRoutes = {
  "GET /v1/rows": {
    id: "listRows",
    summary: "Rows of every kind, by kind and key",
    tag: "intent",
    query: RowsQuery,
    answers: { 200: RowsPage },
  },
  "POST /v1/plan": {
    id: "plan",
    summary: "What changes would mean, row by row and host by host; nothing is written",
    tag: "intent",
    body: PlanRequest,
    answers: { 200: Plan },
    problems: ["conflict", "stale_parent", "invalid_intent"],
  },
  "POST /v1/commits": {
    id: "commit",
    summary: "Commit changes of intent: all of them or none; once for an Idempotency-Key",
    tag: "intent",
    headers: ["Idempotency-Key"],
    body: Commit,
    answers: { 200: Committed, 201: Committed },
    problems: [
      "conflict",
      "answer_not_kept",
      "release_staged",
      "stale_parent",
      "invalid_intent",
      "busy",
    ],
  },
  "GET /v1/revisions": {
    id: "listRevisions",
    summary: "Revisions, newest first",
    tag: "intent",
    query: NumberedPage,
    answers: { 200: pageOf(RevisionItem) },
  },
  "GET /v1/revisions/:revision": {
    id: "getRevision",
    summary: "One revision with the rows it changed",
    tag: "intent",
    params: RevisionParam,
    answers: { 200: RevisionDetail },
  },
  "GET /v1/revisions/:revision/hosts/:host/ruleset": {
    id: "getRuleset",
    summary: "What a revision means for a host",
    tag: "intent",
    params: RulesetParams,
    query: RulesetQuery,
    answers: { 200: { content: { "application/json": Ruleset, "text/plain": null } } },
    problems: ["conflict"],
  },
} as const satisfies Partial<Record<RouteName, Route>>;
