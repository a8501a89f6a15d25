/**
 * What hosts call: token, update, report. Which host is asking comes from its credential and from nothing else in the
 * request. A poll of a host whose news the isolate knows to be old touches no storage.
 */
import { type Context, Hono, type MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { updateMedia } from "#schema/api/routes/agents.ts";
import type { Confirmation, ReportResponse, TokenResponse } from "#schema/wire.ts";
import { parseSeen, headers, type Seen, type Update } from "#schema/wire.ts";
import {
  type Caller,
  type HostCredentials,
  hostTokenLifetime,
  redeemAssertion,
  type Sightings,
} from "#worker/hosts/index.ts";
import { hashSha256 } from "#worker/lib/encoding.ts";
import { answerPoll } from "./poll.ts";
import { type Limiter, openLimiter } from "#worker/http/limiter.ts";
import type { Ports } from "#worker/ports/index.ts";
import { answerProblem } from "#worker/http/problem.ts";
import { Refused } from "#worker/lib/refused.ts";
import { takeReport } from "./report.ts";
import { readBearer } from "#worker/tokens/index.ts";
import { serveRoute } from "#worker/http/serve.ts";
import type { AppEnv } from "#worker/http/env.ts";
import { admitStrangers } from "#worker/http/strangers.ts";
import { hasAll, noCache, sentBy } from "./unchanged.ts";

/** A host reports once a poll at most, and what is refused, repeated or late costs its reading too. */
const reportsOfHost = { atOnce: 40, perSecond: 1 };
/** A host polls every five seconds at most; this is for answers that memory alone does not give. */
const pollsOfHost = { atOnce: 120, perSecond: 2 };
/** Following what a host claims to have seen is a signature and a write. One that tells the truth needs one. */
const leapsOfHost = { atOnce: 5, perSecond: 1 / 30 };

const reportBytesMax = 256 * 1024;
const confirmBytesMax = 1024;

export function routeAgents(
  ports: Ports,
  credentials: HostCredentials,
  sightings: Sightings,
): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  // Whose host it is comes before anything of the body is read.
  const requireKnownHost: MiddlewareHandler<AppEnv> = async (c, next) => {
    await callerOf(c, credentials);
    return next();
  };
  const { clock } = ports;
  const reports = openLimiter(clock, reportsOfHost);
  const polls = openLimiter(clock, pollsOfHost);
  const leaps = openLimiter(clock, leapsOfHost);
  const admitReport: MiddlewareHandler<AppEnv> = async (c, next) => {
    reports.admit((await callerOf(c, credentials)).host);
    return next();
  };
  serveRoute(
    api,
    "POST /v1/agent/token",
    async (c, { body }) =>
      c.json(await issueToken(ports, credentials, body.client_assertion), 200, {
        "Cache-Control": "no-store",
      }),
    [admitStrangers(clock)],
  );
  serveRoute(api, "GET /v1/agent/update", async (c) => {
    const caller = await callerOf(c, credentials);
    sightings.saw(caller.host);
    return update(ports, c, caller, polls, leaps);
  });
  serveRoute(
    api,
    "POST /v1/agent/report",
    async (c, { body: report }) => {
      const caller = await callerOf(c, credentials);
      const { n, next } = await takeReport(
        ports,
        caller,
        report,
        await hashSha256(await c.req.text()),
      );
      // An agent that does not chain its reports would refuse an answer with more than the number.
      const asks = next !== null && report.prev !== undefined;
      return c.json({ n, ...(asks ? { next_s: next } : {}) } satisfies ReportResponse);
    },
    [admitReport, atMost(reportBytesMax)],
  );
  serveRoute(
    api,
    "POST /v1/agent/confirm",
    (c, { body }) => c.json(body satisfies Confirmation, 200, { "Cache-Control": "no-store" }),
    [atMost(confirmBytesMax), requireKnownHost],
  );
  return api;
}

const atMost = (maxSize: number): MiddlewareHandler<AppEnv> =>
  bodyLimit({ maxSize, onError: (c: Context<AppEnv>) => answerProblem(c, "body_too_large") });

/** The host that is asking. @throws Refused `unauthenticated`, the same for every reason */
export async function callerOf(c: Context<AppEnv>, credentials: HostCredentials): Promise<Caller> {
  const token = readBearer(c);
  const caller = token === undefined ? undefined : await credentials.verify(token);
  if (caller === undefined) throw new Refused("unauthenticated");
  return caller;
}

async function issueToken(
  ports: Ports,
  credentials: HostCredentials,
  assertion: string,
): Promise<TokenResponse> {
  const identity = await redeemAssertion(ports, assertion);
  if (identity === undefined) throw new Refused("unauthenticated");
  const { host, enrolment, generation } = identity;
  return {
    access_token: await credentials.mint(host, enrolment, generation),
    token_type: "Bearer",
    expires_in: hostTokenLifetime,
  };
}

async function update(
  ports: Ports,
  c: Context<AppEnv>,
  caller: Caller,
  polls: Limiter,
  leaps: Limiter,
): Promise<Response> {
  const { host, fleet } = caller;
  const base = {
    "Cache-Control": noCache,
    [headers.generation]: String(fleet.generation),
    [headers.pollAfter]: String(ports.settings.pollSeconds),
  };
  if (hasAll(caller, sentBy(c.req.raw.headers))) return c.body(null, 304, base);
  polls.admit(host);
  const poll = {
    host,
    seen: seenOf(c.req.header(headers.seen)),
    bundle: c.req.header(headers.bundle),
    renew: c.req.header(headers.renew) === "1",
    ifNoneMatch: c.req.header("If-None-Match"),
  };
  const answer = await answerPoll(ports, poll, leaps);
  if (answer.update === undefined) return c.body(null, 304, { ...base, ETag: answer.tag });
  return c.body(JSON.stringify(answer.update satisfies Update), 200, {
    ...base,
    ETag: answer.tag,
    "Content-Type": updateMedia,
  });
}

/** A host that says nothing has the root it pinned at most. @throws Refused `bad_request` for another form */
function seenOf(text: string | undefined): Seen {
  if (text === undefined) return { root: 1, timestamp: 0, targets: 0 };
  const seen = parseSeen(text);
  if (seen === undefined) throw new Refused("bad_request");
  return seen;
}
