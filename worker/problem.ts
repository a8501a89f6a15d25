/**
 * Refusals as problem+json (RFC 9457): a closed code that programs branch on, a title for people, never an echo of
 * what was sent, because requests carry tokens.
 */
import type { Context } from "hono";
import type { Finding, Problem } from "#schema/api/common.ts";
import { type ProblemCode, problemEntry } from "#schema/problems.ts";
import { headers as wireHeaders } from "#schema/wire.ts";
import type { AppEnv } from "./api/env.ts";

export interface ProblemDetail {
  readonly detail?: string;
  readonly errors?: readonly Finding[];
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a host's name means nothing without. */
export const notDeclared: ProblemDetail = {
  detail: "This host is not declared. Declare it first, in a catalog or by PUT /v1/hosts/NAME.",
};

export const noRollout: ProblemDetail = { detail: "There is no rollout of this number." };

/** A refusal from below the routes; `createApp` turns it into its response. */
export class Refused extends Error {
  readonly code: ProblemCode;
  readonly more: ProblemDetail;

  constructor(code: ProblemCode, more: ProblemDetail = {}) {
    super(code);
    this.name = "Refused";
    this.code = code;
    this.more = more;
  }
}

/** The response for a refusal. */
export function problem(c: Context<AppEnv>, code: ProblemCode, more: ProblemDetail = {}): Response {
  const { status, title } = problemEntry(code);
  const body = {
    type: `urn:portcullis:problem:${code}`,
    title,
    status,
    code,
    ...(more.detail === undefined ? {} : { detail: more.detail }),
    request_id: c.get("requestId"),
    ...(more.errors === undefined ? {} : { errors: [...more.errors] }),
  } satisfies Problem;
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      "Content-Type": "application/problem+json",
      "Cache-Control": "no-store",
      [wireHeaders.requestId]: c.get("requestId"),
      ...retryHint(code),
      ...more.headers,
    },
  });
}

function retryHint(code: ProblemCode): Record<string, string> {
  if (code === "unauthenticated") return { "WWW-Authenticate": "Bearer" };
  const { retryAfter } = problemEntry(code);
  return retryAfter === undefined ? {} : { "Retry-After": String(retryAfter) };
}
