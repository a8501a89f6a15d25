/**
 * How requests are read: every value from outside passes through a zod schema, and what does not fit is answered with
 * all findings, each with its JSON pointer. Nothing is passed over: a query parameter that the route does not read and
 * a key that stands twice are refused for every route (`app.ts`), as a misspelt `release` would release.
 * Values are never echoed; neither are names of unknown fields that could not be field names.
 */
import type { Context, MiddlewareHandler, ValidationTargets } from "hono";
import { matchedRoutes } from "hono/route";
import { validator } from "hono-openapi";
import * as z from "zod";
import type { Finding } from "#schema/api/common.ts";
import type { ProblemCode } from "#schema/refusals.ts";
import { problem, Refused } from "../problem.ts";
import { closest } from "./closest.ts";
import { doubledKey } from "./doubled-keys.ts";
import type { AppEnv } from "./env.ts";

/** Largest body of any request, in bytes. */
export const bodyBytesMax = 1024 * 1024;

/** What a body is refused as: intent that is not valid is a finding about intent, anything else a bad request. */
type BodyCode = Extract<ProblemCode, "bad_request" | "invalid_intent">;

type Target = "json" | "query" | "param";

/** What a handler of this file reads of a request, for the app's own check and for tests that walk all routes. */
interface Reading {
  readonly target: Target;
  readonly schema: z.ZodType;
}

const reading = Symbol("reading");

/** @returns undefined for a handler that reads nothing through a schema */
const readingOf = (handler: object): Reading | undefined =>
  (handler as { readonly [reading]?: Reading })[reading];

const reads = <T extends z.ZodType, K extends Target>(target: K, schema: T, code: ProblemCode) =>
  Object.assign(validator(target, schema, refuse(code, target === "query" ? ["query"] : [])), {
    [reading]: { target, schema } satisfies Reading,
  });

/** Middleware that admits only a JSON body of this schema; `c.req.valid("json")` has it. */
export const jsonBody = <T extends z.ZodType>(schema: T, code: BodyCode = "bad_request") =>
  [requireJson, reads("json", schema, code)] as const;

/** Path parameters; a name that cannot exist is not found. */
export const params = <T extends z.ZodType>(schema: T) => reads("param", schema, "not_found");

/** Query parameters. A route without this one takes none. */
export const query = <T extends z.ZodObject>(schema: T) => reads("query", schema, "bad_request");

/** Middleware before all routes: refuses a query parameter that the route does not read, and names it. */
export const knownParameters: MiddlewareHandler<AppEnv> = async (c, next) => {
  const { url } = c.req;
  const mark = url.indexOf("?");
  const routes = matchedRoutes(c).filter(({ method }) => method !== "ALL");
  if (mark < 0 || routes.length === 0) return next();
  const known = new Set(routes.flatMap(({ handler }) => queryNames(handler)));
  const names = new Set(new URLSearchParams(url.slice(mark)).keys());
  const errors = [...names]
    .filter((name) => !known.has(name))
    .map((name) => unknownParameter(name, [...known]));
  if (errors.length > 0) throw new Refused("bad_request", { errors: errors.slice(0, findingsMax) });
  return next();
};

function queryNames(handler: object): readonly string[] {
  const read = readingOf(handler);
  return read?.target === "query" && read.schema instanceof z.ZodObject ? Object.keys(read.schema.shape) : [];
}

function unknownParameter(name: string, known: readonly string[]): Finding {
  const meant = isFieldName(name) ? closest(name, known) : undefined;
  const others = known.length === 0 ? "this takes none" : `this takes ${known.join(", ")}`;
  const hint = meant === undefined ? others : `did you mean ${meant}?`;
  return { path: pointer(["query", ...named(name)]), code: "schema", message: `unknown parameter; ${hint}` };
}

const requireJson: MiddlewareHandler<AppEnv> = async (c, next) => {
  if (contentType(c) !== "application/json") throw new Refused("unsupported_media_type");
  refuseDoubledKeys(await c.req.text());
  return next();
};

export const contentType = (c: Context<AppEnv>): string =>
  ((c.req.header("Content-Type") ?? "").split(";")[0] ?? "").trim().toLowerCase();

/** For what no validator reads. @throws Refused `bad_request` for a text that is no JSON, or has a key twice */
export function parseBody(text: string): unknown {
  refuseDoubledKeys(text);
  try {
    return JSON.parse(text);
  } catch {
    throw new Refused("bad_request");
  }
}

function refuseDoubledKeys(text: string): void {
  const path = doubledKey(text);
  if (path === undefined) return;
  throw new Refused("bad_request", {
    errors: [{ path: pointer(named(...path)), code: "schema", message: "expected this key once" }],
  });
}

interface Outcome {
  readonly success: boolean;
  readonly error?: readonly unknown[];
  readonly target: keyof ValidationTargets;
}

/** @param within begins the path of each finding */
const refuse =
  (code: ProblemCode, within: readonly string[]) =>
  (outcome: Outcome, c: Context<AppEnv>): Response | undefined =>
    outcome.success ? undefined : problem(c, code, { errors: findings(outcome.error ?? [], within) });

/** More than a person reads is cut. */
const findingsMax = 100;

/** Standard Schema issues are zod's own here. */
function findings(issues: readonly unknown[], within: readonly string[]): readonly Finding[] {
  return (issues as readonly z.core.$ZodIssue[])
    .slice(0, findingsMax)
    .flatMap((issue) => finding({ ...issue, path: [...within, ...issue.path] }));
}

function finding(issue: z.core.$ZodIssue): readonly Finding[] {
  if (issue.code === "unrecognized_keys")
    return issue.keys.slice(0, findingsMax).map((key) => ({
      path: pointer([...issue.path, ...named(key)]),
      code: "schema",
      message: "unknown field",
    }));
  return [{ path: pointer(issue.path), code: "schema", message: issue.message }];
}

const isFieldName = (name: string): boolean => /^[A-Za-z0-9._-]{1,63}$/.test(name);

/** As much of a path from outside as could be names of fields: what may be said back. */
function named(...path: readonly (string | number)[]): readonly (string | number)[] {
  const end = path.findIndex((part) => !isFieldName(String(part)));
  return path.slice(0, end < 0 ? undefined : end);
}

/** JSON pointer (RFC 6901). */
const pointer = (path: readonly PropertyKey[]): string =>
  path.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
