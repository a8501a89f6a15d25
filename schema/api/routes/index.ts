/** Every route of the HTTP API, once. */
import type { RouteName } from "../access.ts";
import type { Route } from "../route.ts";
import { agentRoutes } from "./agents.ts";
import { catalogRoutes } from "./catalog.ts";
import { hostRoutes } from "./hosts.ts";
import { intentRoutes } from "./intent.ts";
import { rolloutRoutes } from "./rollouts.ts";
import { serviceRoutes } from "./service.ts";
import { trustRoutes } from "./trust.ts";

export const routes = {
  ...intentRoutes,
  ...catalogRoutes,
  ...hostRoutes,
  ...rolloutRoutes,
  ...trustRoutes,
  ...serviceRoutes,
  ...agentRoutes,
} as const satisfies Record<RouteName, Route>;
export type Routes = typeof routes;

/** What a route is, without the types of its own schemas. */
export const routeOf = (name: RouteName): Route => routes[name];
