/**
 * Refusals as problem+json (RFC 9457): a closed code that programs branch on, a title for people, never an echo of
 * what was sent, because requests carry tokens.
 */
import type { Context } from "hono";
import type { Problem } from "#schema/api/common.ts";
import { type ProblemCode, problemEntry } from "#schema/problems.ts";
import { headers as wireHeaders } from "#schema/wire.ts";
import type { ProblemDetail } from "#worker/lib/refused.ts";
import type { AppEnv } from "./env.ts";

/** The response for a refusal. */
export function answerProblem(
  c: Context<AppEnv>,
  code: ProblemCode,
  more: ProblemDetail = {},
): Response {
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
