/**
 * The application: one Hono app over ports, the same on both adapters. Here stands the order in which a request is
 * met: id, who may, parameters, size, route; and what becomes of everything that is thrown.
 */
import { type Context, Hono, type MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { requestId } from "hono/request-id";
import { headers } from "#schema/wire.ts";
import { methodsOf } from "./http/access.ts";
import { authorize } from "#worker/tokens/index.ts";
import type { AppEnv } from "./http/env.ts";
import { serveRoute } from "./http/serve.ts";
import { bodyBytesMax, listKnownParameters } from "./http/input.ts";
import { openApi } from "./http/openapi/index.ts";
import { openRouters } from "./routers.ts";
import { noSniff, type Unchanged, openUnchanged, answerUnchangedOr } from "#worker/poll/index.ts";
import {
  openHostCredentials,
  openFleet,
  openSightings,
  type Sightings,
} from "#worker/hosts/index.ts";
import { describeError, framesOf, loggablePath } from "./lib/log.ts";
import type { Ports } from "./ports/index.ts";
import { answerProblem } from "./http/problem.ts";
import { Refused } from "#worker/lib/refused.ts";
import { storeFailure } from "./db/failure.ts";

/**
 * The app; the answer to a poll that changes nothing, for servers that can give it without a Request; and who polls, for
 * adapters to have written down.
 */
export type App = Hono<AppEnv> & { readonly unchanged: Unchanged; readonly sightings: Sightings };

export function createApp(ports: Ports): App {
  const app = new Hono<AppEnv>();
  const fleet = openFleet(ports);
  const credentials = openHostCredentials(ports, fleet);
  const sightings = openSightings(ports);
  app.use(requestId({ headerName: headers.requestId, limitLength: 64 }));
  app.use(sealResponse);
  app.use(authorize(ports));
  app.use(listKnownParameters);
  app.use(
    bodyLimit({
      maxSize: bodyBytesMax,
      onError: (c: Context<AppEnv>) => answerProblem(c, "body_too_large"),
    }),
  );
  for (const router of openRouters(ports, { fleet, credentials, sightings }))
    app.route("/", router);
  serveRoute(app, "GET /openapi.json", openApi());
  app.notFound((c) => {
    const methods = methodsOf(c.req.path);
    return methods.length === 0 || methods.includes(c.req.method)
      ? answerProblem(c, "not_found")
      : answerProblem(c, "method_not_allowed", { headers: { Allow: methods.join(", ") } });
  });
  app.onError((error, c) => {
    if (error instanceof Refused) return answerProblem(c, error.code, error.more);
    logFault(c, error);
    return answerProblem(c, storeFailure(error) ?? "internal");
  });
  // A router that finds one route among all, and its middleware, cost more than this answer itself.
  const fromMemory = openUnchanged(ports.settings, credentials, sightings);
  const { fetch } = app;
  app.fetch = (request, ...rest) =>
    answerUnchangedOr(fromMemory, request, () => fetch(request, ...rest));
  return Object.assign(app, { unchanged: fromMemory, sightings });
}

/** Nobody takes an answer for what it does not say it is, or keeps one that does not say for how long. */
const sealResponse: MiddlewareHandler<AppEnv> = async (c, next) => {
  await next();
  c.res.headers.set(noSniff[0], noSniff[1]);
  if (!c.res.headers.has("Cache-Control")) c.res.headers.set("Cache-Control", "no-store");
};

/** For whoever runs the control plane; its caller is told the id alone. */
function logFault(c: Context<AppEnv>, error: Error): void {
  const { method, path } = c.req;
  const request = { request_id: c.get("requestId"), method, path: loggablePath(path) };
  console.error(
    JSON.stringify({ ...request, error: describeError(error), stack: framesOf(error) }),
  );
}
