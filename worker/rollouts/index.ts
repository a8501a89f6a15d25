/** The door of the feature. Rollouts: starting, moving and reading them. */
export { advance, advanceIfNews } from "./advance.ts";
export { routeRollouts } from "./routes.ts";
export { listOpenEntries, openRollouts } from "./rows.ts";
