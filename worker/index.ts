/** The entry for Cloudflare Workers: requests go to the app, cron to maintenance. One app per isolate. */
import { env } from "cloudflare:workers";
import type { ExecutionContext, ScheduledController } from "@cloudflare/workers-types";
import { createApp } from "./app.ts";
import { openEnv } from "./env.ts";
import { maintain } from "#worker/maintenance/index.ts";

/** Opened at the first event and not at start, so that a deployment without its secrets still says what is missing. */
const open = memoise(() => {
  const ports = openEnv(env);
  return { ports, app: createApp(ports) };
});

export default {
  fetch: (
    request: Request,
    bindings: unknown,
    context: ExecutionContext,
  ): Response | Promise<Response> => {
    const { app } = open();
    const writing = app.sightings.writeDue();
    if (writing !== undefined) context.waitUntil(writing);
    return app.fetch(request, bindings as object, context);
  },
  scheduled: async (_controller: ScheduledController): Promise<void> => {
    await maintain(open().ports);
  },
};

function memoise<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
