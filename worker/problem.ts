/**
 * Refusals as problem+json (RFC 9457): a closed code that programs branch on, a title for people, never an echo of
 * what was sent, because requests carry tokens.
 */
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import * as z from "zod";
import type { ProblemCode } from "#schema/errors.ts";
import { headers as wireHeaders } from "#schema/wire.ts";
import type { AppEnv } from "./api/env.ts";

interface Kind {
  readonly status: ContentfulStatusCode;
  readonly title: string;
}

const kinds = {
  bad_request: { status: 400, title: "The request is malformed" },
  unauthenticated: { status: 401, title: "Authentication is needed" },
  forbidden: { status: 403, title: "This credential may not do that" },
  not_found: { status: 404, title: "There is nothing here" },
  method_not_allowed: { status: 405, title: "This resource does not know that method" },
  conflict: { status: 409, title: "Something else stands in the way" },
  nothing_to_release: { status: 409, title: "Nothing is withheld from these hosts" },
  release_staged: { status: 409, title: "What changes hosts goes through a rollout here" },
  token_used: { status: 409, title: "This one-time token was used before" },
  root_mismatch: { status: 409, title: "This is not the root of trust in force" },
  stale_parent: { status: 412, title: "The parent revision is no longer head" },
  precondition_failed: { status: 412, title: "The row is not what the precondition expects" },
  body_too_large: { status: 413, title: "The body is too large" },
  unsupported_media_type: { status: 415, title: "The body is not of a type this resource reads" },
  invalid_intent: { status: 422, title: "The intent is not valid, nothing was written" },
  internal: { status: 500, title: "Something went wrong here" },
  busy: { status: 503, title: "Too many writers at once, try again" },
  root_missing: { status: 503, title: "This deployment has no root of trust yet" },
} as const satisfies Record<ProblemCode, Kind>;

/**
 * One finding inside a problem: a JSON pointer into the request or into intent, a code, a sentence. `referencers` are
 * the rows that name one to be deleted, each with the pointer into intent where it does; the first hundred.
 */
export const Finding = z.strictObject({
  path: z.string(),
  code: z.string(),
  message: z.string(),
  referencers: z.array(z.strictObject({ kind: z.string(), key: z.string(), path: z.string() })).optional(),
});
export type Finding = z.infer<typeof Finding>;

/** The body of every refusal. */
export const ProblemBody = z.strictObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.string(),
  detail: z.string().optional(),
  request_id: z.string(),
  errors: z.array(Finding).optional(),
});

export interface ProblemDetail {
  readonly detail?: string;
  readonly errors?: readonly Finding[];
  readonly headers?: Readonly<Record<string, string>>;
}

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
  const { status, title } = kinds[code];
  const body = {
    type: `urn:portcullis:problem:${code}`,
    title,
    status,
    code,
    ...(more.detail === undefined ? {} : { detail: more.detail }),
    request_id: c.get("requestId"),
    ...(more.errors === undefined ? {} : { errors: [...more.errors] }),
  } satisfies z.infer<typeof ProblemBody>;
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
  switch (code) {
    case "unauthenticated":
      return { "WWW-Authenticate": "Bearer" };
    case "busy":
      return { "Retry-After": "1" };
    case "root_missing":
      return { "Retry-After": "60" };
    default:
      return {};
  }
}
