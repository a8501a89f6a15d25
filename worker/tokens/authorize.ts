/**
 * Who is asking, and may they? Runs before every route and decides by the `access` table alone; a route that the table
 * does not know answers nobody.
 *
 * A token is `pc_<id>_<secret>`; the store holds its SHA-256. Digests are compared, and in constant time, so neither
 * the store nor a clock gives a token away. Every reason for a 401 looks the same from outside.
 */
import type { Context, MiddlewareHandler } from "hono";
import { type Access, access } from "#schema/api/access.ts";
import { TokenScope } from "#schema/api/tokens.ts";
import { hashSha256 } from "#worker/lib/encoding.ts";
import type { Ports } from "#worker/ports/index.ts";
import { Refused } from "#worker/lib/refused.ts";
import { findToken } from "./rows.ts";
import { isRouteName, findMatchedRoute } from "#worker/http/access.ts";
import { adminName, principalName } from "./principal.ts";
import type { RequestAuthor } from "#worker/db/audit.ts";
import type { AppEnv, Principal } from "#worker/http/env.ts";
import { addressOf } from "#worker/http/strangers.ts";

const tokenForm = /^pc_([a-z0-9]{16})_[A-Za-z0-9_-]{43}$/;

/** Lets a request through to its route, with `principal` set where the route is for tokens. */
export function authorize(ports: Ports): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const name = findMatchedRoute(c);
    if (name === undefined) return next();
    if (!isRouteName(name)) throw new Refused("forbidden");
    const entry: Access = access[name];
    switch (entry.by) {
      case "anyone":
      case "host":
        break;
      case "token":
        c.set("principal", requireScope(await authenticate(ports, c), entry.scope));
        break;
      case "token-or-host":
        // The bearer says itself which of the two it claims to be; the route checks a host's.
        if (readBearer(c)?.startsWith("pc_") === true)
          c.set("principal", requireScope(await authenticate(ports, c), entry.scope));
        break;
    }
    return next();
  };
}

/** The authenticated principal. @throws Refused `unauthenticated` on a route that is not for tokens */
export function principalOf(c: Context<AppEnv>): Principal {
  const principal = c.get("principal");
  if (principal === undefined) throw new Refused("unauthenticated");
  return principal;
}

/** Who decides by this request, for the audit chain. @throws Refused `unauthenticated` */
export const authorOf = (c: Context<AppEnv>): RequestAuthor => ({
  name: principalOf(c).name,
  ...originOf(c),
});

/** By which request, and from where, as far as the adapter knows. */
export const originOf = (c: Context<AppEnv>): Omit<RequestAuthor, "name"> => ({
  request_id: c.get("requestId"),
  source: addressOf(c) ?? null,
});

/** The bearer credential of a request, undefined when there is none. */
export function readBearer(c: Context<AppEnv>): string | undefined {
  return /^Bearer ([A-Za-z0-9._~+/=-]{1,8192})$/i.exec(c.req.header("Authorization") ?? "")?.[1];
}

/** @throws Refused `forbidden` unless the principal has the scope */
function requireScope(principal: Principal, scope: TokenScope | null): Principal {
  if (scope !== null && !principal.scopes.has(scope))
    throw new Refused("forbidden", { detail: `This needs the scope ${scope}.` });
  return principal;
}

/** @throws Refused `unauthenticated` */
async function authenticate(ports: Ports, c: Context<AppEnv>): Promise<Principal> {
  const credential = readBearer(c);
  if (credential === undefined) throw new Refused("unauthenticated");
  const sha256 = await hashSha256(credential);
  if (isSameDigest(sha256, ports.settings.adminTokenSha256))
    return { name: adminName, token: null, scopes: new Set(TokenScope.options), expires_at: null };
  const id = tokenForm.exec(credential)?.[1];
  const token = id === undefined ? undefined : await findToken(ports.sql, id);
  const now = ports.clock.now();
  if (
    token === undefined ||
    !isSameDigest(sha256, token.sha256) ||
    token.revoked_at !== null ||
    (token.expires_at !== null && token.expires_at <= now)
  )
    throw new Refused("unauthenticated");
  return {
    name: principalName(token.name),
    token: token.id,
    scopes: new Set(token.scopes),
    expires_at: token.expires_at,
  };
}

/** Equality of two hex digests without stopping at the first difference. */
function isSameDigest(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i += 1)
    difference |= a.charCodeAt(i) ^ b.charCodeAt(i % Math.max(b.length, 1));
  return difference === 0;
}
