/** A route as it is served: what it takes is read by the table of routes, and a handler gets it typed. */
import type { Context, Hono, MiddlewareHandler } from "hono";
import type { RouteName } from "#schema/api/access.ts";
import { routeOf } from "#schema/api/routes/index.ts";
import type { Given } from "#schema/api/types.ts";
import type { AppEnv } from "./env.ts";
import { readRequest } from "./input.ts";

type Handler<N extends RouteName> = (
  c: Context<AppEnv>,
  given: Given<N>,
) => Response | Promise<Response>;

/** @param before runs before anything of the request is read */
export function serveRoute<N extends RouteName>(
  api: Hono<AppEnv>,
  name: N,
  handler: Handler<N>,
  before: readonly MiddlewareHandler<AppEnv>[] = [],
): void {
  const [method = "", path = ""] = name.split(" ");
  const route = routeOf(name);
  api.on(method, [path], ...before, async (c) =>
    // The table gives both: the schemas that read, and the types of what they read.
    handler(c, (await readRequest(c, route)) as Given<N>),
  );
}
