/**
 * The one answer that is given all day long: 304, from the isolate's memory alone. It stands before every middleware
 * and says nothing but "nothing new", and that only to a host whose token this isolate verified seconds ago; every
 * other poll goes on to the route in agent.ts, which decides by itself.
 */
import type { Handler } from "hono";
import { headers } from "#schema/wire.ts";
import type { Caller, HostCredentials } from "../credential.ts";
import { changedAt } from "../fleet.ts";
import type { Settings } from "../ports.ts";
import type { AppEnv } from "./env.ts";

/** Polls are nobody else's business, and compression on the way would weaken their tags. */
export const noCache = "private, no-store, no-transform";

export function unchanged(settings: Settings, credentials: HostCredentials): Handler<AppEnv> {
  const pollAfter = String(settings.pollSeconds);
  return (c, next) => {
    const header = (name: string): string | undefined => c.req.raw.headers.get(name) ?? undefined;
    const authorization = header("Authorization");
    if (authorization?.startsWith("Bearer ") !== true) return next();
    const caller = credentials.recall(authorization.slice(7));
    if (caller === undefined || !hasAll(caller, header)) return next();
    return c.body(null, 304, {
      "Cache-Control": noCache,
      [headers.generation]: String(caller.fleet.generation),
      [headers.pollAfter]: pollAfter,
    });
  };
}

/**
 * Does the host have all that there is for it, by what this isolate knows of the fleet? It must have a tag, and a
 * generation no older than its last change and no newer than the store's, and must not ask for a fresh lease.
 */
export function hasAll({ host, fleet }: Caller, header: (name: string) => string | undefined): boolean {
  const known = generationOf(header(headers.generation));
  return (
    known !== undefined &&
    known >= changedAt(fleet, host) &&
    known <= fleet.generation &&
    fleet.root > 0 &&
    header("If-None-Match") !== undefined &&
    header(headers.renew) === undefined
  );
}

const generationOf = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
