/** The types of a route's parts, from the table of routes. Types only. */
import type * as z from "zod";
import type { RouteName } from "./access.ts";
import type { Route } from "./route.ts";
import type { Routes } from "./routes/index.ts";

type Part<N extends RouteName, P extends keyof Route> = Routes[N] extends { readonly [K in P]: infer S }
  ? S
  : undefined;
type Output<S> = S extends z.ZodType ? z.output<S> : undefined;

/** What a route is given, as read. */
export interface Given<N extends RouteName> {
  readonly params: Output<Part<N, "params">>;
  readonly query: Output<Part<N, "query">>;
  readonly body: Output<Part<N, "body">>;
}
