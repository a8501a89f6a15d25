/** What a route may refuse, from what it asks for: its access, its parameters and its body. */
import { type Access, access, type RouteName } from "#schema/api/access.ts";
import { routeOf } from "#schema/api/routes/index.ts";
import { type ProblemCode, problemCodes, problemEntry } from "#schema/problems.ts";

/** In the order of the table of problems, by status. */
export function problemsOf(name: RouteName): ReadonlyMap<number, readonly ProblemCode[]> {
  const route = routeOf(name);
  const codes = new Set<ProblemCode>([
    ...listAccessProblems(access[name]),
    // An unknown parameter is refused everywhere.
    "bad_request",
    ...(route.params === undefined ? [] : (["not_found"] as const)),
    ...(route.body === undefined ? [] : (["unsupported_media_type", "body_too_large"] as const)),
    ...(route.problems ?? []),
    // The store may fail anybody.
    "internal",
    "busy",
    "storage_full",
  ]);
  const ordered = problemCodes.filter((code) => codes.has(code));
  return Map.groupBy(ordered, (code) => problemEntry(code).status);
}

function listAccessProblems(entry: Access): readonly ProblemCode[] {
  switch (entry.by) {
    case "anyone":
      return [];
    case "host":
      return ["unauthenticated"];
    case "token":
    case "token-or-host":
      return ["unauthenticated", "forbidden"];
  }
}
