/**
 * The one answer that is given all day long: 304, from the isolate's memory alone, in front of the app. It says nothing
 * but "nothing new", and that only to a host whose token this isolate verified seconds ago; every other request goes on
 * to the app, whose own route decides by itself and gives the same answer.
 */
import { headers } from "#schema/wire.ts";
import type { Caller, HostCredentials } from "../credential.ts";
import { changedAt } from "../fleet.ts";
import type { Settings } from "../ports.ts";

/** Polls are nobody else's business, and compression on the way would weaken their tags. */
export const noCache = "private, no-store, no-transform";

/** Of every answer of the app: it is what its Content-Type says. */
export const noSniff = ["X-Content-Type-Options", "nosniff"] as const;

const path = "/v1/agent/update";

/** @returns a function that answers a poll, or undefined for the app to answer */
export function unchanged(
  settings: Settings,
  credentials: HostCredentials,
): (request: Request) => Response | undefined {
  const pollAfter = String(settings.pollSeconds);
  return (request) => {
    const { method, url } = request;
    // The path begins at the first slash after "https://", and is all that follows.
    if (method !== "GET" || !url.endsWith(path) || url.indexOf("/", 8) !== url.length - path.length) return;
    const authorization = request.headers.get("authorization");
    if (authorization?.startsWith("Bearer ") !== true) return;
    const caller = credentials.recall(authorization.slice(7));
    if (caller === undefined || !hasAll(caller, request.headers)) return;
    return new Response(null, {
      status: 304,
      headers: {
        "Cache-Control": noCache,
        [noSniff[0]]: noSniff[1],
        [headers.generation]: String(caller.fleet.generation),
        [headers.pollAfter]: pollAfter,
      },
    });
  };
}

/**
 * Does the host have all that there is for it, by what this isolate knows of the fleet? It must have a tag, and a
 * generation no older than its last change and no newer than the store's, and must not ask for a fresh lease.
 */
export function hasAll({ host, fleet }: Caller, sent: Pick<Headers, "get">): boolean {
  const known = generationOf(sent.get(headers.generation));
  return (
    known !== undefined &&
    known >= changedAt(fleet, host) &&
    known <= fleet.generation &&
    fleet.root > 0 &&
    sent.get("If-None-Match") !== null &&
    sent.get(headers.renew) === null
  );
}

const generationOf = (text: string | null): number | undefined =>
  text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
