/** The door of the feature. Hosts as people see them, and metrics. */
export { routeMetrics } from "./metrics.ts";
export { routeHosts } from "./routes.ts";
