/**
 * How requests are read: every value from outside passes through a zod schema, and what does not fit is answered with
 * all findings, each with its JSON pointer. Nothing is passed over: a query parameter that the route does not read and
 * a key that stands twice are refused for every route (`app.ts`), as a misspelt `release` would release.
 * Values are never echoed; neither are names of unknown fields that could not be field names.
 */
import type { Context, MiddlewareHandler } from "hono";
import type * as z from "zod";
import type { Finding } from "#schema/api/common.ts";
import type { Route } from "#schema/api/route.ts";
import { routeOf } from "#schema/api/routes/index.ts";
import type { ProblemCode } from "#schema/problems.ts";
import { Refused } from "#worker/lib/refused.ts";
import { isRouteName, findMatchedRoute } from "./access.ts";
import { findClosest } from "#schema/closest.ts";
import { findForgiven } from "./strict-json.ts";
import type { AppEnv } from "./env.ts";

/** Largest body of any request, in bytes. */
export const bodyBytesMax = 1024 * 1024;

/** What was given, as the route's schemas read it. @throws Refused with every finding */
export async function readRequest(c: Context<AppEnv>, route: Route) {
  const params = read(route.params, c.req.param(), "not_found", []);
  const query = read(route.query, queryOf(c), "bad_request", ["query"]);
  return {
    params,
    query,
    body: route.body === undefined ? undefined : await readBody(c, route, route.body),
  };
}

/** @param within begins the path of each finding */
function read<T extends z.ZodType>(
  schema: T | undefined,
  value: unknown,
  code: ProblemCode,
  within: readonly string[],
): z.output<T> | undefined {
  if (schema === undefined) return undefined;
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new Refused(code, { errors: findings(parsed.error.issues, within) });
}

/** A parameter that is given more than once is a list, which no schema of one value takes. */
const queryOf = (c: Context<AppEnv>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(c.req.queries()).map(([name, values]) => [
      name,
      values.length === 1 ? values[0] : values,
    ]),
  );

/** Intent that is not valid is a finding about intent, anything else a bad request. */
async function readBody(c: Context<AppEnv>, route: Route, schema: z.ZodType) {
  const code =
    route.problems?.includes("invalid_intent") === true ? "invalid_intent" : "bad_request";
  return read(schema, await parseBody(c, route.form === true), code, []);
}

/** Middleware before all routes: refuses a query parameter that the route does not read, and names it. */
export const listKnownParameters: MiddlewareHandler<AppEnv> = async (c, next) => {
  const { url } = c.req;
  const mark = url.indexOf("?");
  const name = mark < 0 ? undefined : findMatchedRoute(c);
  if (name === undefined || !isRouteName(name)) return next();
  const known = Object.keys(routeOf(name).query?.shape ?? {});
  const names = new Set(new URLSearchParams(url.slice(mark)).keys());
  const errors = [...names]
    .filter((given) => !known.includes(given))
    .map((given) => describeUnknownParameter(given, known));
  if (errors.length > 0) throw new Refused("bad_request", { errors: errors.slice(0, findingsMax) });
  return next();
};

function describeUnknownParameter(name: string, known: readonly string[]): Finding {
  const meant = isFieldName(name) ? findClosest(name, known) : undefined;
  const others = known.length === 0 ? "this takes none" : `this takes ${known.join(", ")}`;
  const hint = meant === undefined ? others : `did you mean ${meant}?`;
  return {
    path: pointer(["query", ...namePath(name)]),
    code: "schema",
    message: `unknown parameter; ${hint}`,
  };
}

/** @param form whether it may come as a form too. @throws Refused for any other type, and for what is not of its own */
async function parseBody(c: Context<AppEnv>, form: boolean): Promise<unknown> {
  const [type = ""] = (c.req.header("Content-Type") ?? "").split(";");
  switch (type.trim().toLowerCase()) {
    case "application/json":
      return parseJson(await c.req.text());
    case "application/x-www-form-urlencoded":
      if (form) return readForm(await c.req.text());
      break;
  }
  throw new Refused("unsupported_media_type");
}

function parseJson(text: string): unknown {
  refuseForgiven(text);
  try {
    return JSON.parse(text);
  } catch {
    // Its own message would quote the body.
    throw new Refused("bad_request");
  }
}

/** No parameter stands twice (RFC 6749 §3.2). */
function readForm(text: string): Readonly<Record<string, string>> {
  const fields = [...new URLSearchParams(text)];
  if (new Set(fields.map(([name]) => name)).size < fields.length) throw new Refused("bad_request");
  return Object.fromEntries(fields);
}

const expected = {
  key: "expected this key once",
  number: "expected a number as people write it, such as 8080",
} as const;

function refuseForgiven(text: string): void {
  const found = findForgiven(text);
  if (found === undefined) return;
  throw new Refused("bad_request", {
    errors: [
      { path: pointer(namePath(...found.path)), code: "schema", message: expected[found.what] },
    ],
  });
}

/** More than a person reads is cut. */
const findingsMax = 100;

const findings = (
  issues: readonly z.core.$ZodIssue[],
  within: readonly string[],
): readonly Finding[] =>
  issues
    .slice(0, findingsMax)
    .flatMap((issue) => describeIssue({ ...issue, path: [...within, ...issue.path] }));

function describeIssue(issue: z.core.$ZodIssue): readonly Finding[] {
  if (issue.code === "unrecognized_keys")
    return issue.keys.slice(0, findingsMax).map((key) => ({
      path: pointer([...issue.path, ...namePath(key)]),
      code: "schema",
      message: "unknown field",
    }));
  return [{ path: pointer(issue.path), code: "schema", message: issue.message }];
}

const isFieldName = (name: string): boolean => /^[A-Za-z0-9._-]{1,63}$/.test(name);

/** As much of a path from outside as could be names of fields: what may be said back. */
function namePath(...path: readonly (string | number)[]): readonly (string | number)[] {
  const end = path.findIndex((part) => !isFieldName(String(part)));
  return path.slice(0, end < 0 ? undefined : end);
}

/** JSON pointer (RFC 6901). */
const pointer = (path: readonly PropertyKey[]): string =>
  path.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
