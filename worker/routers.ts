/** Every router of the application. A new one is mounted here; its routes must stand in the access table. */
import { Hono } from "hono";
import type { Fleet, HostCredentials, Sightings } from "#worker/hosts/index.ts";
import type { Ports } from "./ports/index.ts";
import { routeAgents, routeRepository } from "#worker/poll/index.ts";
import { audit } from "#worker/audit/index.ts";
import { routeCatalog, routeCommits, routeOverlays } from "#worker/commits/index.ts";
import { routeEnrolments } from "#worker/enrolment/index.ts";
import { routeCosign } from "#worker/cosign/index.ts";
import type { AppEnv } from "./http/env.ts";
import { routeHistory } from "#worker/reports/index.ts";
import { routeHosts, routeMetrics } from "#worker/overview/index.ts";
import { routeIntent, routeRevisions } from "#worker/intent/index.ts";
import { routePins } from "#worker/served/index.ts";
import { routeRollouts } from "#worker/rollouts/index.ts";
import { routeRoot } from "#worker/signing/index.ts";
import { routeService } from "./http/service.ts";
import { routeTokens } from "#worker/tokens/index.ts";

/** What one process remembers, and all its routes share. */
interface Remembered {
  readonly fleet: Fleet;
  readonly credentials: HostCredentials;
  readonly sightings: Sightings;
}

export function openRouters(
  ports: Ports,
  { fleet, credentials, sightings }: Remembered,
): readonly Hono<AppEnv>[] {
  return [
    refreshAfterWrites(fleet),
    routeService(ports),
    routeCommits(ports),
    routeRevisions(ports),
    routeIntent(ports),
    routeCatalog(ports),
    routeOverlays(ports),
    routeHosts(ports, sightings),
    routeHistory(ports),
    routeRollouts(ports),
    routeMetrics(ports, sightings),
    routePins(ports),
    audit(ports),
    routeTokens(ports),
    routeRoot(ports),
    routeCosign(ports),
    routeEnrolments(ports, fleet),
    routeAgents(ports, credentials, sightings),
    routeRepository(ports, credentials),
  ];
}

/** What an operator writes in this process is seen by the very next poll here; other isolates see it within 5 s. */
function refreshAfterWrites(fleet: Fleet): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  api.use(async (c, next) => {
    await next();
    if (c.req.method !== "GET" && c.get("principal") !== undefined) fleet.expire();
  });
  return api;
}
