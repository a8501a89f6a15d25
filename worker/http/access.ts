/** Which route of the table (schema/api/access.ts) a request is for. */
import type { Context } from "hono";
import { matchedRoutes } from "hono/route";
import { access, type RouteName } from "#schema/api/access.ts";
import type { AppEnv } from "./env.ts";

export const isRouteName = (name: string): name is RouteName => Object.hasOwn(access, name);

/** The route that was found for a request, such as `GET /v1/hosts/:host`; undefined where there is none. */
export function findMatchedRoute(c: Context<AppEnv>): string | undefined {
  const route = matchedRoutes(c).find(({ method }) => method !== "ALL");
  return route === undefined ? undefined : `${route.method} ${route.path}`;
}

/** Methods that some route knows for this request path, sorted; empty when no route has this path. */
export function methodsOf(path: string): readonly string[] {
  const asked = path.split("/");
  const methods = new Set<string>();
  for (const name of Object.keys(access)) {
    const [method = "", pattern = ""] = name.split(" ");
    const parts = pattern.split("/");
    const fits =
      parts.length === asked.length &&
      parts.every((part, i) => part.startsWith(":") || part === asked[i]);
    if (fits) methods.add(method);
  }
  return [...methods].sort();
}
