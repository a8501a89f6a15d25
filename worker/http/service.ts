/** Routes about the service itself. */
import { Hono } from "hono";
import type { Health } from "#schema/api/service.ts";
import type { Ports } from "#worker/ports/index.ts";
import { readFleet } from "#worker/db/fleet.ts";
import { serveRoute } from "./serve.ts";
import type { AppEnv } from "./env.ts";

export function routeService(ports: Ports): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  serveRoute(api, "GET /healthz", async (c) => {
    const { head } = await readFleet(ports.sql);
    return c.json({ status: "ok", head, fleet: ports.settings.fleet } satisfies Health);
  });
  return api;
}
