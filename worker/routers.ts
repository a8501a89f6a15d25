/** Every router of the application. A new one is mounted here; its routes must stand in the access table. */
import { Hono } from "hono";
import type { Fleet, HostCredentials, Sightings } from "#worker/hosts/index.ts";
import type { Ports } from "./ports/index.ts";
import { agent, repository } from "#worker/poll/index.ts";
import { audit } from "#worker/audit/index.ts";
import { catalog, commits, overlays } from "#worker/commits/index.ts";
import { enrolments } from "#worker/enrolment/index.ts";
import { cosign } from "#worker/cosign/index.ts";
import type { AppEnv } from "./http/env.ts";
import { history } from "#worker/reports/index.ts";
import { hosts, metrics } from "#worker/overview/index.ts";
import { intent, revisions } from "#worker/intent/index.ts";
import { pins } from "#worker/served/index.ts";
import { rollouts } from "#worker/rollouts/index.ts";
import { root } from "#worker/signing/index.ts";
import { service } from "./http/service.ts";
import { tokens } from "#worker/tokens/index.ts";

/** What one process remembers, and all its routes share. */
interface Remembered {
  readonly fleet: Fleet;
  readonly credentials: HostCredentials;
  readonly sightings: Sightings;
}

export function routers(
  ports: Ports,
  { fleet, credentials, sightings }: Remembered,
): readonly Hono<AppEnv>[] {
  return [
    lookAgainAfterWrites(fleet),
    service(ports),
    commits(ports),
    revisions(ports),
    intent(ports),
    catalog(ports),
    overlays(ports),
    hosts(ports, sightings),
    history(ports),
    rollouts(ports),
    metrics(ports, sightings),
    pins(ports),
    audit(ports),
    tokens(ports),
    root(ports),
    cosign(ports),
    enrolments(ports, fleet),
    agent(ports, credentials, sightings),
    repository(ports, credentials),
  ];
}

/** What an operator writes in this process is seen by the very next poll here; other isolates see it within 5 s. */
function lookAgainAfterWrites(fleet: Fleet): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  api.use(async (c, next) => {
    await next();
    if (c.req.method !== "GET" && c.get("principal") !== undefined) fleet.expire();
  });
  return api;
}
