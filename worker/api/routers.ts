/** Every router of the application. A new one is mounted here; its routes must stand in the access table. */
import { Hono } from "hono";
import type { HostCredentials } from "../credential.ts";
import type { Fleet } from "../fleet.ts";
import type { Ports } from "../ports.ts";
import type { Sightings } from "../sightings.ts";
import { agent } from "./agent.ts";
import { audit } from "./audit.ts";
import { catalog } from "./catalog.ts";
import { enrolments } from "./enrolments.ts";
import { commits } from "./commits.ts";
import { cosign } from "./cosign.ts";
import type { AppEnv } from "./env.ts";
import { history } from "./history.ts";
import { hosts } from "./hosts.ts";
import { intent } from "./intent.ts";
import { metrics } from "./metrics.ts";
import { overlays } from "./overlays.ts";
import { pins } from "./pins.ts";
import { repository } from "./repository.ts";
import { revisions } from "./revisions.ts";
import { rollouts } from "./rollouts.ts";
import { root } from "./root.ts";
import { service } from "./service.ts";
import { tokens } from "./tokens.ts";

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
