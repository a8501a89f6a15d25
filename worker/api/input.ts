/**
 * Reading requests: every parameter, query and body goes through a zod schema, and what does not fit is answered with
 * all findings, each with its JSON pointer. Values are never echoed; neither are names of unknown fields that could
 * not be field names.
 */
import type { Context, MiddlewareHandler, ValidationTargets } from "hono";
import { validator } from "hono-openapi";
import type * as z from "zod";
import type { ProblemCode } from "#schema/refusals.ts";
import type { Finding } from "#schema/api/common.ts";
import { problem, Refused } from "../problem.ts";
import type { AppEnv } from "./env.ts";

/** Largest body of any request, in bytes. */
export const bodyBytesMax = 1024 * 1024;

/** What a body is refused as: intent that is not valid is a finding about intent, anything else a bad request. */
type BodyCode = Extract<ProblemCode, "bad_request" | "invalid_intent">;

/** Middleware that admits only a JSON body of this schema; `c.req.valid("json")` has it. */
export const jsonBody = <T extends z.ZodType>(schema: T, code: BodyCode = "bad_request") =>
  [requireJson, validator("json", schema, refuse(code))] as const;

/** Path parameters; a name that cannot exist is not found. */
export const params = <T extends z.ZodType>(schema: T) => validator("param", schema, refuse("not_found"));

export const query = <T extends z.ZodType>(schema: T) => validator("query", schema, refuse("bad_request"));

const requireJson: MiddlewareHandler<AppEnv> = async (c, next) => {
  const [type = ""] = (c.req.header("Content-Type") ?? "").split(";");
  if (type.trim().toLowerCase() !== "application/json") throw new Refused("unsupported_media_type");
  return next();
};

interface Outcome {
  readonly success: boolean;
  readonly error?: readonly unknown[];
  readonly target: keyof ValidationTargets;
}

const refuse =
  (code: ProblemCode) =>
  (outcome: Outcome, c: Context<AppEnv>): Response | undefined =>
    outcome.success ? undefined : problem(c, code, { errors: findings(outcome.error ?? []) });

/** Standard Schema issues are zod's own here; more than a person reads is cut. */
function findings(issues: readonly unknown[]): readonly Finding[] {
  return (issues as readonly z.core.$ZodIssue[]).slice(0, 100).flatMap(finding);
}

function finding(issue: z.core.$ZodIssue): readonly Finding[] {
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => ({
      path: pointer([...issue.path, ...(/^[A-Za-z0-9._-]{1,63}$/.test(key) ? [key] : [])]),
      code: "schema",
      message: "unknown field",
    }));
  return [{ path: pointer(issue.path), code: "schema", message: issue.message }];
}

/** JSON pointer (RFC 6901). */
const pointer = (path: readonly PropertyKey[]): string =>
  path.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
