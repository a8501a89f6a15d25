/** The door of the feature. Rollouts: starting, moving and reading them. */
export { advance, advanceIfNews } from "./advance.ts";
export { routeRollouts } from "./routes.ts";
export { judgedIn, openRollouts } from "./rows.ts";
