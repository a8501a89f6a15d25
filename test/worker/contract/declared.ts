/** Every answer that a contract test gets is one that the table of routes declares, and so the OpenAPI document. */
import { expect } from "vitest";
import * as z from "zod";
import { access, type RouteName } from "#schema/api/access.ts";
import { Problem } from "#schema/api/common.ts";
import { answerHeaders } from "#schema/api/headers.ts";
import type { Answer as DeclaredAnswer, Route } from "#schema/api/route.ts";
import { routeOf } from "#schema/api/routes/index.ts";
import { problemsOf } from "#worker/http/openapi/problems.ts";

interface Received {
  readonly status: number;
  readonly headers: Headers;
  /** Undefined when it is none. */
  readonly json: unknown;
}

/** @throws when the route does not say that it answers so; a path that no route has is let be */
export function expectDeclared(method: string, path: string, answer: Received): void {
  const name = routeFor(method, path.split("?")[0] ?? "");
  if (name === undefined) return;
  const asked = `${name} ${answer.status}`;
  if (answer.status >= 400) {
    const codes = problemsOf(name).get(answer.status) ?? [];
    const { code } = exactly(asked, Problem, answer.json);
    expect([asked, codes]).toEqual([asked, expect.arrayContaining([code])]);
    return;
  }
  const route = routeOf(name);
  for (const header of Object.keys(answerHeaders))
    if (answer.headers.has(header))
      expect([asked, route.answerHeaders]).toEqual([asked, expect.arrayContaining([header])]);
  const declared = contentsOf(route, answer.status);
  expect([asked, declared]).not.toEqual([asked, undefined]);
  if (declared === undefined || declared.size === 0) return;
  const media = (answer.headers.get("content-type") ?? "").replace(/; charset=utf-8$/i, "");
  expect([asked, [...declared.keys()]]).toEqual([asked, expect.arrayContaining([media])]);
  const schema = declared.get(media) ?? null;
  if (schema !== null) exactly(asked, schema, answer.json);
}

/** Schemas by media type; none where there is nothing to say, undefined where the status is not declared. */
function contentsOf(
  { answers }: Route,
  status: number,
): ReadonlyMap<string, z.ZodType | null> | undefined {
  const declared = (answers as Readonly<Record<number, DeclaredAnswer>>)[status];
  if (declared === undefined) return undefined;
  if (declared === null) return new Map();
  if (declared instanceof z.ZodType) return new Map([["application/json", declared]]);
  return new Map(Object.entries(declared.content));
}

/** Nothing is missing, and nothing is there that the schema does not have. */
function exactly<T>(asked: string, schema: z.ZodType<T>, json: unknown): T {
  const parsed = schema.safeParse(json);
  expect([asked, parsed.error]).toEqual([asked, undefined]);
  expect([asked, parsed.data]).toEqual([asked, json]);
  return schema.parse(json);
}

/** A word in a route's path goes before a parameter. */
function routeFor(method: string, path: string): RouteName | undefined {
  const asked = path.split("/");
  const fitting = (Object.keys(access) as RouteName[]).filter((name) => {
    const [verb = "", pattern = ""] = name.split(" ");
    const parts = pattern.split("/");
    return (
      verb === method &&
      parts.length === asked.length &&
      parts.every((part, i) => (part.startsWith(":") ? asked[i] !== "" : part === asked[i]))
    );
  });
  const words = (name: string): number =>
    name.split("/").filter((part) => !part.startsWith(":")).length;
  return fitting.toSorted((a, b) => words(b) - words(a))[0];
}
