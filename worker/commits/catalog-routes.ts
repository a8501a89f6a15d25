/** The service catalog: named networks, and who may open connections to which port of which role. */
import { Hono } from "hono";
import type { Ports } from "#worker/ports/index.ts";
import type { AppEnv } from "#worker/http/env.ts";
import { addList, addRead, addWrites } from "./row-routes.ts";

export function routeCatalog(ports: Ports): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  for (const collection of ["zones", "services"] as const) {
    addList(api, ports, collection);
    addRead(api, ports, collection);
    addWrites(api, ports, collection);
  }
  return api;
}
