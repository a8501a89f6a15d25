/**
 * What hosts call: token, update, report. Which host is asking comes from its credential and from nothing else in the
 * request. A poll of a host whose news the isolate knows to be old touches no storage.
 */
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type * as z from "zod";
import {
  Confirmation,
  parseSeen,
  headers,
  Report,
  ReportResponse,
  type Seen,
  TokenRequest,
  TokenResponse,
  type Update,
} from "#schema/wire.ts";
import { redeemAssertion } from "../assertion.ts";
import { type Caller, type HostCredentials, hostTokenLifetime } from "../credential.ts";
import { sha256Hex } from "../encoding.ts";
import { answerPoll } from "../poll.ts";
import type { Ports } from "../ports.ts";
import { problem, Refused } from "../problem.ts";
import { told } from "../release/told.ts";
import { bearer } from "./authorize.ts";
import { describe } from "./describe.ts";
import type { AppEnv } from "./env.ts";
import { contentType, jsonBody, parseBody } from "./input.ts";
import { hasAll, noCache } from "./unchanged.ts";

/** Not on any list of types that caches compress, because compression turns strong tags weak. */
const updateType = "application/vnd.portcullis.update";
const reportBytesMax = 256 * 1024;
const confirmBytesMax = 1024;

export function agent(ports: Ports, credentials: HostCredentials): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  const answers = { 200: { media: updateType }, 304: { media: updateType } };
  api.post(
    "/v1/agent/token",
    describe("POST /v1/agent/token", "Prove the host's key, get a token", { 200: TokenResponse }),
    async (c) =>
      c.json(await issueToken(ports, credentials, await tokenRequest(c)), 200, {
        "Cache-Control": "no-store",
      }),
  );
  api.get(
    "/v1/agent/update",
    describe("GET /v1/agent/update", "The host's own repository, if it is new", answers),
    async (c) => update(ports, c, await callerOf(c, credentials)),
  );
  api.post(
    "/v1/agent/report",
    describe("POST /v1/agent/report", "What happened on the host", { 200: ReportResponse }),
    bodyLimit({ maxSize: reportBytesMax, onError: (c: Context<AppEnv>) => problem(c, "body_too_large") }),
    async (c, next) => {
      await callerOf(c, credentials);
      return next();
    },
    ...jsonBody(Report),
    async (c) => {
      const { host } = await callerOf(c, credentials);
      const report = c.req.valid("json");
      const { n, next } = await told(ports, host, report, await sha256Hex(await c.req.text()));
      // An agent that does not chain its reports would refuse an answer with more than the number.
      const asks = next !== null && report.prev !== undefined;
      return c.json({ n, ...(asks ? { next_s: next } : {}) } satisfies ReportResponse);
    },
  );
  api.post(
    "/v1/agent/confirm",
    describe("POST /v1/agent/confirm", "A host under a new ruleset gets here", { 200: Confirmation }),
    bodyLimit({ maxSize: confirmBytesMax, onError: (c: Context<AppEnv>) => problem(c, "body_too_large") }),
    async (c, next) => {
      await callerOf(c, credentials);
      return next();
    },
    ...jsonBody(Confirmation),
    (c) => c.json(c.req.valid("json") satisfies Confirmation, 200, { "Cache-Control": "no-store" }),
  );
  return api;
}

/** The host that is asking. @throws Refused `unauthenticated`, the same for every reason */
export async function callerOf(c: Context<AppEnv>, credentials: HostCredentials): Promise<Caller> {
  const token = bearer(c);
  const caller = token === undefined ? undefined : await credentials.verify(token);
  if (caller === undefined) throw new Refused("unauthenticated");
  return caller;
}

/** JSON, or a form as RFC 6749 §4.4.2 has it. @throws Refused `bad_request` for anything that is neither */
async function tokenRequest(c: Context<AppEnv>): Promise<z.infer<typeof TokenRequest>> {
  const parsed = TokenRequest.safeParse(await readBody(c));
  if (!parsed.success) throw new Refused("bad_request");
  return parsed.data;
}

async function readBody(c: Context<AppEnv>): Promise<unknown> {
  switch (contentType(c)) {
    case "application/json":
      return parseBody(await c.req.text());
    case "application/x-www-form-urlencoded":
      return readForm(await c.req.text());
    default:
      throw new Refused("unsupported_media_type");
  }
}

/** No parameter stands twice (RFC 6749 §3.2). @throws Refused `bad_request` */
function readForm(text: string): Readonly<Record<string, string>> {
  const fields = [...new URLSearchParams(text)];
  if (new Set(fields.map(([name]) => name)).size < fields.length) throw new Refused("bad_request");
  return Object.fromEntries(fields);
}

async function issueToken(
  ports: Ports,
  credentials: HostCredentials,
  request: z.infer<typeof TokenRequest>,
): Promise<TokenResponse> {
  const identity = await redeemAssertion(ports, request.client_assertion);
  if (identity === undefined) throw new Refused("unauthenticated");
  const { host, enrolment, generation } = identity;
  return {
    access_token: await credentials.mint(host, enrolment, generation),
    token_type: "Bearer",
    expires_in: hostTokenLifetime,
  };
}

async function update(ports: Ports, c: Context<AppEnv>, { host, fleet }: Caller): Promise<Response> {
  const base = {
    "Cache-Control": noCache,
    [headers.generation]: String(fleet.generation),
    [headers.pollAfter]: String(ports.settings.pollSeconds),
  };
  if (hasAll({ host, fleet }, c.req.raw.headers)) return c.body(null, 304, base);
  const answer = await answerPoll(ports, {
    host,
    seen: seenOf(c.req.header(headers.seen)),
    bundle: c.req.header(headers.bundle),
    renew: c.req.header(headers.renew) === "1",
    ifNoneMatch: c.req.header("If-None-Match"),
  });
  if (answer.update === undefined) return c.body(null, 304, { ...base, ETag: answer.tag });
  return c.body(JSON.stringify(answer.update satisfies Update), 200, {
    ...base,
    ETag: answer.tag,
    "Content-Type": updateType,
  });
}

/** A host that says nothing has the root it pinned at most. @throws Refused `bad_request` for another form */
function seenOf(text: string | undefined): Seen {
  if (text === undefined) return { root: 1, timestamp: 0, targets: 0 };
  const seen = parseSeen(text);
  if (seen === undefined) throw new Refused("bad_request");
  return seen;
}
