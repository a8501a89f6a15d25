/** Hosts as they stand. */
import type { RouteName } from "../access.ts";
import { Page, pageOf } from "../common.ts";
import { HostItem, HostStatus, Pinned, PinRequest, Run, RunsQuery } from "../hosts.ts";
import { HostParam } from "../params.ts";
import type { Route } from "../route.ts";

export const hostRoutes = {
  "GET /v1/hosts": {
    id: "listHosts",
    summary: "Hosts and where they stand, by key",
    tag: "hosts",
    query: Page,
    answers: { 200: pageOf(HostItem) },
  },
  "GET /v1/hosts/:host": {
    id: "getHost",
    summary: "One host and where it stands",
    tag: "hosts",
    params: HostParam,
    answers: { 200: HostItem },
    answerHeaders: ["ETag"],
  },
  "GET /v1/hosts/:host/status": {
    id: "getHostStatus",
    summary: "What a host is served and what it last said",
    tag: "hosts",
    params: HostParam,
    answers: { 200: HostStatus },
  },
  "GET /v1/hosts/:host/history": {
    id: "listRuns",
    summary: "Which bundle ran when, newest first; `at` asks for one time",
    tag: "hosts",
    params: HostParam,
    query: RunsQuery,
    answers: { 200: pageOf(Run) },
  },
  "PUT /v1/hosts/:host/pin": {
    id: "pinHost",
    summary: "Keep a host where it is",
    tag: "hosts",
    params: HostParam,
    body: PinRequest,
    answers: { 200: Pinned },
  },
  "DELETE /v1/hosts/:host/pin": {
    id: "unpinHost",
    summary: "Let rollouts reach a host again",
    tag: "hosts",
    params: HostParam,
    answers: { 200: Pinned },
  },
} as const satisfies Partial<Record<RouteName, Route>>;
