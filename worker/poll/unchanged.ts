/**
 * The one answer that is given all day long: 304, from the isolate's memory alone, in front of the app. It says nothing
 * but "nothing new", and that only to a host whose token this isolate has verified; every other request goes on to the
 * app, whose own route decides by itself and gives the same answer.
 */
import { headers } from "#schema/wire.ts";
import type { Caller, HostCredentials, Sightings } from "#worker/hosts/index.ts";
import type { Settings } from "#worker/ports/index.ts";

/** Polls are nobody else's business, and compression on the way would weaken their tags. */
export const noCache = "private, no-store, no-transform";

/** Of every answer of the app: it is what its Content-Type says. */
export const noSniff = ["X-Content-Type-Options", "nosniff"] as const;

const path = "/v1/agent/update";

/** Headers of a request by their names in lower case. What is no text was not sent. */
type Sent = Readonly<Record<string, unknown>>;

/** Headers of the 304, which has no body. */
type Given = Readonly<Record<string, string>>;

/** Undefined, or a promise of it, for the app to answer; the promise never rejects. */
export type Unchanged = (
  method: string | undefined,
  asked: string | undefined,
  sent: Sent,
) => Given | undefined | Promise<Given | undefined>;

export function openUnchanged(
  settings: Settings,
  credentials: HostCredentials,
  sightings: Sightings,
): Unchanged {
  const make = (number: number): Given =>
    Object.freeze({
      "Cache-Control": noCache,
      [noSniff[0]]: noSniff[1],
      [headers.generation]: String(number),
      [headers.pollAfter]: String(settings.pollSeconds),
    });
  // One answer fits every host until the fleet changes.
  let last = { number: -1, given: make(-1) };
  const answer = (caller: Caller | undefined, sent: Sent): Given | undefined => {
    if (caller === undefined || !hasAll(caller, sent)) return undefined;
    sightings.saw(caller.host);
    const number = caller.fleet.generation;
    if (last.number !== number) last = { number, given: make(number) };
    return last.given;
  };
  return (method, asked, sent) => {
    if (method !== "GET" || asked !== path) return undefined;
    const { authorization } = sent;
    if (typeof authorization !== "string" || !authorization.startsWith("Bearer ")) return undefined;
    const caller = credentials.recall(authorization.slice(7));
    if (!(caller instanceof Promise)) return answer(caller, sent);
    // A store that fails is the app's to tell.
    return caller.then((late) => answer(late, sent)).catch(() => undefined);
  };
}

/** The same for a request of the web's own kind, by `otherwise` where there is something to say. */
export function answerUnchangedOr<T>(
  ask: Unchanged,
  request: Request,
  otherwise: () => T | Promise<T>,
): Response | T | Promise<Response | T> {
  const { method, url } = request;
  if (!url.endsWith(path)) return otherwise();
  // The path begins at the first slash after "https://".
  const given = ask(method, url.slice(url.indexOf("/", 8)), sentBy(request.headers));
  if (given instanceof Promise)
    return given.then((late) => (late === undefined ? otherwise() : response(late)));
  return given === undefined ? otherwise() : response(given);
}

const response = (given: Given): Response => new Response(null, { status: 304, headers: given });

const generation = headers.generation.toLowerCase();
const renew = headers.renew.toLowerCase();
const tag = "if-none-match";

/** What of a request decides. */
export function sentBy(all: Headers): Sent {
  const named = [generation, renew, tag, "authorization"].map((name) => [
    name,
    all.get(name) ?? undefined,
  ]);
  return Object.fromEntries(named) as Sent;
}

/**
 * Does the host have all that there is for it, by what this isolate knows of the fleet? It must have a tag, and a
 * generation no older than its last change and no newer than the store's, and must not ask for a fresh lease.
 */
export function hasAll({ changed, fleet }: Caller, sent: Sent): boolean {
  const known = numberOf(sent[generation]);
  return (
    known >= changed &&
    known <= fleet.generation &&
    fleet.root > 0 &&
    sent[tag] !== undefined &&
    sent[renew] === undefined
  );
}

/** NaN, which is no less and no more than any, for what is none. */
const numberOf = (text: unknown): number =>
  typeof text === "string" && /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
