/**
 * API tokens. A token is shown once, when it is made; what it may do and how long is bounded by its maker, so that
 * nobody hands out more than they have, and it ends with its maker. A token sees and revokes itself and what descends
 * from it; the first operator token sees and revokes all.
 */
import { type Context, Hono } from "hono";
import type { NewTokenRequest, TokenItem, Whoami } from "#schema/api/tokens.ts";
import { TokenScope } from "#schema/api/tokens.ts";
import { hashSha256, toBase64Url, toHex } from "#worker/lib/encoding.ts";
import type { Ports } from "#worker/ports/index.ts";
import { answerProblem } from "#worker/http/problem.ts";
import { Refused } from "#worker/lib/refused.ts";
import { principalName } from "./principal.ts";
import { writeAudited, type Author } from "#worker/db/audit.ts";
import { endAllBy } from "./invitation-rows.ts";
import {
  descends,
  findToken,
  insertToken,
  listTokens,
  listLivingDescendants,
  revokeToken,
  countLine,
  type Token,
  isTokenNameTaken,
} from "./rows.ts";
import { serveRoute } from "#worker/http/serve.ts";
import { authorOf, principalOf } from "./authorize.ts";
import type { AppEnv, Principal } from "#worker/http/env.ts";
import { iso, makePage } from "#worker/http/views.ts";

export function routeTokens(ports: Ports): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  serveRoute(api, "GET /v1/whoami", (c) => {
    const { name, token, scopes, expires_at } = principalOf(c);
    const expires = expires_at === null ? null : iso(expires_at);
    return Promise.resolve(
      c.json({ name, token, scopes: [...scopes], expires_at: expires } satisfies Whoami),
    );
  });
  serveRoute(api, "GET /v1/tokens", async (c, { query }) => {
    const { limit, cursor } = query;
    const rows = await listTokens(ports.sql, limit, cursor, principalOf(c).token);
    return c.json(makePage(rows, limit, tokenView, (row) => row.id));
  });
  serveRoute(api, "POST /v1/tokens", async (c, { body }) => {
    const { row, token } = await mint(ports, principalOf(c), authorOf(c), body);
    c.header("Cache-Control", "no-store");
    return c.json({ ...tokenView(row), token }, 201);
  });
  serveRoute(api, "DELETE /v1/tokens/:id", (c, { params }) => revoke(c, ports, params.id));
  return api;
}

async function mint(
  ports: Ports,
  maker: Principal,
  author: Author,
  request: NewTokenRequest,
): Promise<{ readonly row: Token; readonly token: string }> {
  const excess = request.scopes.filter((scope) => !maker.scopes.has(scope));
  if (excess.length > 0)
    throw new Refused("forbidden", {
      detail: `You cannot give what you do not have: ${excess.join(", ")}.`,
    });
  const at = ports.clock.now();
  const wanted = expiryOf(request, at) ?? maker.expires_at;
  if (wanted !== null && wanted <= at)
    throw new Refused("bad_request", {
      errors: [{ path: "/expires_at", code: "schema", message: "expected a time to come" }],
    });
  if (maker.expires_at !== null && (wanted === null || wanted > maker.expires_at))
    throw new Refused("forbidden", { detail: "A token cannot outlive the one that makes it." });
  const id = toHex(crypto.getRandomValues(new Uint8Array(8)));
  const token = `pc_${id}_${toBase64Url(crypto.getRandomValues(new Uint8Array(32)))}`;
  const row: Token = {
    id,
    name: request.name,
    sha256: await hashSha256(token),
    scopes: TokenScope.options.filter((scope) => request.scopes.includes(scope)),
    created_at: at,
    created_by: maker.name,
    expires_at: wanted,
    revoked_at: null,
    parent: maker.token,
    ancestor: id,
  };
  return writeAudited(ports.sql, async () => {
    if (await isTokenNameTaken(ports.sql, row.name))
      throw new Refused("conflict", {
        detail:
          "There was a token of this name, and the audit log tells tokens by name: take another one.",
      });
    const line = maker.token === null ? undefined : await readLineToJoin(ports.sql, maker.token);
    const made = line === undefined ? row : { ...row, ancestor: line.ancestor };
    const body = {
      id,
      name: row.name,
      scopes: row.scopes,
      expires_at: row.expires_at,
      parent: row.parent,
    };
    const entry = {
      at,
      actor: author,
      on_behalf_of: null,
      action: "token.create",
      revision: null,
      body,
    } as const;
    const result = { row: made, token };
    return { write: true, statements: [insertToken(ports.sql, made)], entry, result };
  });
}

/** How long a line may grow, the first counted, and how many tokens it may hold, ended ones too. */
const lineDepthMax = 8;
const lineTokensMax = 1000;

/** The maker as it is within the attempt: it may have been revoked since it was let in. @throws Refused */
async function readLineToJoin(sql: Ports["sql"], id: string): Promise<Token> {
  const maker = await findToken(sql, id);
  if (maker === undefined || maker.revoked_at !== null) throw new Refused("unauthenticated");
  const line = await countLine(sql, maker);
  if (line.depth >= lineDepthMax)
    throw new Refused("conflict", {
      detail: `A line of tokens is ${lineDepthMax} long at most: make it with one that is nearer to the first.`,
    });
  if (line.tokens >= lineTokensMax)
    throw new Refused("conflict", {
      detail: `A line of tokens has ${lineTokensMax} at most: make it with the first operator token.`,
    });
  return maker;
}

/** Milliseconds since the Unix epoch; undefined when the request says none. */
function expiryOf(request: NewTokenRequest, now: number): number | undefined {
  if (request.ttl_seconds !== undefined) return now + request.ttl_seconds * 1000;
  return request.expires_at === undefined ? undefined : Date.parse(request.expires_at);
}

/** Ends a token and all that descends from it. Revoking twice is once: the first time stands. */
function revoke(c: Context<AppEnv>, ports: Ports, id: string): Promise<Response> {
  const { sql, clock } = ports;
  const { token: own } = principalOf(c);
  const actor = authorOf(c);
  const at = clock.now();
  return writeAudited(sql, async () => {
    const row = await findToken(sql, id);
    // What it could not have made is not there for it.
    if (row === undefined || (own !== null && !(await descends(sql, id, own))))
      return {
        write: false,
        result: answerProblem(c, "not_found", { detail: "There is no token of this id." }),
      };
    if (row.revoked_at !== null) return { write: false, result: c.json(tokenView(row)) };
    const heirs = await listLivingDescendants(sql, id);
    const body = { id, name: row.name, with: heirs };
    const entry = {
      at,
      actor,
      on_behalf_of: null,
      action: "token.revoke",
      revision: null,
      body,
    } as const;
    const result = c.json(tokenView({ ...row, revoked_at: at }));
    // An invitation is a way in of its own: it ends with whoever made it.
    const made = endAllBy(sql, [row.name, ...heirs].map(principalName), at);
    return { write: true, statements: [revokeToken(sql, id, at), made], entry, result };
  });
}

const tokenView = (row: Token): TokenItem => ({
  id: row.id,
  name: row.name,
  scopes: [...row.scopes],
  created_at: iso(row.created_at),
  created_by: row.created_by,
  parent: row.parent,
  expires_at: row.expires_at === null ? null : iso(row.expires_at),
  revoked_at: row.revoked_at === null ? null : iso(row.revoked_at),
});
