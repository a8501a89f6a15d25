/** Addresses of routes, filled in. */
import type { RouteName } from "#schema/api/access.ts";

export interface Filled {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
}

type Values = Readonly<Record<string, string | number | undefined>>;

/** A parameter that is undefined is left out of the query; a path has all of its own. */
export function fillRoute(name: RouteName, params: Values = {}, query: Values = {}): Filled {
  const [method = "", pattern = ""] = name.split(" ");
  const path = pattern.replace(/:(\w+)/g, (_, parameter: string) =>
    encodeURIComponent(String(params[parameter] ?? "")),
  );
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query))
    if (value !== undefined) search.set(key, String(value));
  return { method, path: search.size === 0 ? path : `${path}?${search.toString()}` };
}
