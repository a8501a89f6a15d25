/** Pins: hosts that a person keeps where they are. Both directions say the same when they are said again. */
import { Hono } from "hono";
import type { Ports } from "#worker/ports/index.ts";
import { pin, unpin } from "./pin.ts";
import { authorOf } from "#worker/tokens/index.ts";
import { serveRoute } from "#worker/http/serve.ts";
import type { AppEnv } from "#worker/http/env.ts";

export function routePins(ports: Ports): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  serveRoute(api, "PUT /v1/hosts/:host/pin", async (c, { params, body }) => {
    const { host } = params;
    await pin(ports, authorOf(c), host, body);
    return c.json({ host, pinned: true });
  });
  serveRoute(api, "DELETE /v1/hosts/:host/pin", async (c, { params }) => {
    const { host } = params;
    await unpin(ports, authorOf(c), host);
    return c.json({ host, pinned: false });
  });
  return api;
}
