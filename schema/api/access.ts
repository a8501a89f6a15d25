/**
 * Who may call which route: one table, read by the middleware, the OpenAPI document and the scope-matrix test.
 * A route that is not here answers nobody (deny by default), and a route is declared only under a name from here.
 */
import type { TokenScope } from "./tokens.ts";

export type Access =
  /** Anyone: it says nothing that is secret. */
  | { readonly by: "anyone" }
  /** A bearer token with this scope; null: with whatever scopes. */
  | { readonly by: "token"; readonly scope: TokenScope | null }
  /** A host with its own credential, which the route itself checks. */
  | { readonly by: "host" }
  /** An operator's token with this scope, else a host's own credential, which the route itself checks. */
  | { readonly by: "token-or-host"; readonly scope: TokenScope };

const anyone = { by: "anyone" } as const;
const host = { by: "host" } as const;
const token = (scope: TokenScope | null) => ({ by: "token", scope }) as const;
const tokenOrHost = (scope: TokenScope) => ({ by: "token-or-host", scope }) as const;

type Method = "GET" | "PUT" | "POST" | "DELETE";

export const access = {
  "GET /healthz": anyone,
  "GET /openapi.json": anyone,

  "GET /v1/rows": token("intent:read"),
  "POST /v1/plan": token("intent:read"),
  "POST /v1/commits": token("intent:write"),
  "GET /v1/revisions": token("intent:read"),
  "GET /v1/revisions/:revision": token("intent:read"),
  "GET /v1/revisions/:revision/hosts/:host/ruleset": token("intent:read"),

  "GET /v1/overlays": token("intent:read"),
  "GET /v1/overlays/:overlay": token("intent:read"),
  "PUT /v1/overlays/:overlay": token("intent:write"),
  "DELETE /v1/overlays/:overlay": token("intent:write"),
  "GET /v1/overlays/:overlay/members": token("intent:read"),
  "GET /v1/overlays/:overlay/members/:cn": token("intent:read"),
  "PUT /v1/overlays/:overlay/members/:cn": token("intent:write"),
  "DELETE /v1/overlays/:overlay/members/:cn": token("intent:write"),

  "GET /v1/zones": token("intent:read"),
  "GET /v1/zones/:zone": token("intent:read"),
  "PUT /v1/zones/:zone": token("intent:write"),
  "DELETE /v1/zones/:zone": token("intent:write"),

  "GET /v1/services": token("intent:read"),
  "GET /v1/services/:service": token("intent:read"),
  "PUT /v1/services/:service": token("intent:write"),
  "DELETE /v1/services/:service": token("intent:write"),

  "GET /v1/hosts": token("intent:read"),
  "GET /v1/hosts/:host": token("intent:read"),
  "PUT /v1/hosts/:host": token("intent:write"),
  "DELETE /v1/hosts/:host": token("intent:write"),
  "DELETE /v1/hosts/:host/identity": token("hosts:enrol"),
  "GET /v1/hosts/:host/status": token("intent:read"),
  "GET /v1/hosts/:host/history": token("intent:read"),

  "POST /v1/rollouts": token("rollouts:write"),
  "GET /v1/rollouts": token("intent:read"),
  "GET /v1/rollouts/:id": token("intent:read"),
  "GET /v1/rollouts/:id/hosts": token("intent:read"),
  "POST /v1/rollouts/:id/pause": token("rollouts:write"),
  "POST /v1/rollouts/:id/resume": token("rollouts:write"),
  "POST /v1/rollouts/:id/halt": token("rollouts:write"),
  "POST /v1/rollouts/:id/rollback": token("rollouts:write"),
  "POST /v1/rollouts/:id/skip": token("rollouts:write"),
  "POST /v1/rollouts/:id/force": token("rollouts:write"),
  "POST /v1/rollouts/:id/approve": token("rollouts:approve"),
  "PUT /v1/hosts/:host/pin": token("rollouts:write"),
  "DELETE /v1/hosts/:host/pin": token("rollouts:write"),

  "GET /v1/metrics": token("intent:read"),

  "GET /v1/audit": token("audit:read"),
  "GET /v1/audit/verify": token("audit:read"),

  "GET /v1/whoami": token(null),
  "GET /v1/tokens": token("tokens:write"),
  "POST /v1/tokens": token("tokens:write"),
  "DELETE /v1/tokens/:id": token("tokens:write"),

  "GET /v1/cosign": token("intent:read"),
  "GET /v1/cosign/:host": token("intent:read"),
  "PUT /v1/cosign/:host": token("targets:sign"),

  "GET /v1/enrolments": token("hosts:enrol"),
  "POST /v1/enrolments": token("hosts:enrol"),
  "DELETE /v1/enrolments/:id": token("hosts:enrol"),
  "GET /v1/root": anyone,
  "GET /v1/root/keys": token("root:write"),
  "GET /v1/root/:version": anyone,
  "PUT /v1/root": token("root:write"),
  "POST /v1/agent/enrol": anyone,
  "POST /v1/agent/token": anyone,
  "GET /v1/agent/update": host,
  "POST /v1/agent/report": host,
  "POST /v1/agent/confirm": host,
  "GET /v1/hosts/:host/repo/metadata/:file": tokenOrHost("audit:read"),
  "GET /v1/hosts/:host/repo/targets/:file": tokenOrHost("audit:read"),
} as const satisfies Record<`${Method} /${string}`, Access>;

export type RouteName = keyof typeof access;
