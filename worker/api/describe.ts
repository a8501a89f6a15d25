/** What the OpenAPI document says about a route; names come from the access table, so no route can miss it. */
import type { MiddlewareHandler } from "hono";
import { describeRoute, resolver } from "hono-openapi";
import type * as z from "zod";
import { Problem } from "#schema/api/common.ts";
import { type Access, access, type RouteName } from "./access.ts";

/** A schema for a JSON response, or a media type for any other. */
export type Answer = z.ZodType | { readonly media: string };

/** Documents one route: its summary, its answers by status, and who may call it. */
export function describe(
  name: RouteName,
  summary: string,
  answers: Readonly<Record<number, Answer>>,
): MiddlewareHandler {
  const entry: Access = access[name];
  return describeRoute({
    summary,
    ...security(entry),
    responses: {
      ...Object.fromEntries(Object.entries(answers).map(([status, answer]) => [status, response(answer)])),
      default: {
        description: "A problem (RFC 9457)",
        content: { "application/problem+json": { schema: resolver(Problem) } },
      },
    },
  });
}

function security(entry: Access) {
  switch (entry.by) {
    case "anyone":
      return { security: [] };
    case "token":
      return { security: [{ operator: [entry.scope] }] };
    case "host":
      return { security: [{ host: [] }] };
    case "token-or-host":
      return { security: [{ operator: [entry.scope] }, { host: [] }] };
  }
}

function response(answer: Answer) {
  if ("media" in answer)
    return { description: "Done", content: { [answer.media]: { schema: { type: "string" as const } } } };
  return { description: "Done", content: { "application/json": { schema: resolver(answer) } } };
}
