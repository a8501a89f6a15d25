/** The door of the feature. Hosts as people see them, and metrics. */
export { metrics } from "./metrics.ts";
export { hosts } from "./routes.ts";
