/** Rollouts: starting one, reading it, and what a person may do to it. */
import { RolloutActionRequest, RolloutRequest, RolloutView } from "../../rollout.ts";
import type { RouteName } from "../access.ts";
import { pageOf } from "../common.ts";
import { RolloutParam } from "../params.ts";
import { RolloutHost, RolloutHostsQuery, RolloutsQuery, StartedRollout } from "../rollouts.ts";
import type { Route } from "../route.ts";

const action = <Id extends string>(id: Id, summary: string) =>
  ({
    id,
    summary,
    tag: "rollouts",
    params: RolloutParam,
    body: RolloutActionRequest,
    answers: { 200: RolloutView },
    problems: ["conflict"],
  }) as const satisfies Route;

export const rolloutRoutes = {
  "POST /v1/rollouts": {
    id: "startRollout",
    summary: "Bring what is withheld to hosts, wave by wave",
    tag: "rollouts",
    body: RolloutRequest,
    answers: { 201: StartedRollout },
    answerHeaders: ["Location"],
    problems: ["not_found", "conflict", "nothing_to_release"],
  },
  "GET /v1/rollouts": {
    id: "listRollouts",
    summary: "Rollouts, newest first; those of one `status` where it is given",
    tag: "rollouts",
    query: RolloutsQuery,
    answers: { 200: pageOf(RolloutView) },
  },
  "GET /v1/rollouts/:id": {
    id: "getRollout",
    summary: "One rollout; each change as an event, for Accept: text/event-stream",
    tag: "rollouts",
    params: RolloutParam,
    headers: ["If-None-Match", "Last-Event-ID"],
    answers: {
      200: { content: { "application/json": RolloutView, "text/event-stream": null } },
      204: null,
      304: null,
    },
    answerHeaders: ["ETag"],
  },
  "GET /v1/rollouts/:id/hosts": {
    id: "listRolloutHosts",
    summary:
      "Where each host of a rollout stands, by host and phase; those of one `standing`, `phase` or `wave`",
    tag: "rollouts",
    params: RolloutParam,
    query: RolloutHostsQuery,
    answers: { 200: pageOf(RolloutHost) },
  },
  "POST /v1/rollouts/:id/pause": action(
    "pauseRollout",
    "Reach no further wave until somebody resumes it",
  ),
  "POST /v1/rollouts/:id/resume": action(
    "resumeRollout",
    "Go on after a pause, a halt or a rollback; hosts that did not commit are tried again",
  ),
  "POST /v1/rollouts/:id/halt": action("haltRollout", "Give nobody anything more; needs no reason"),
  "POST /v1/rollouts/:id/rollback": action(
    "rollBackRollout",
    "Give hosts that took it what they had before, under a higher seq",
  ),
  "POST /v1/rollouts/:id/skip": action(
    "skipRollout",
    "Go on without the hosts that did not commit; a later rollout may bring it to them",
  ),
  "POST /v1/rollouts/:id/force": action(
    "forceRollout",
    "Go on to what is given though hosts did not confirm that they lost what others depend on",
  ),
  "POST /v1/rollouts/:id/approve": action(
    "approveRollout",
    "Approve an emergency; somebody else than who started it",
  ),
} as const satisfies Partial<Record<RouteName, Route>>;
