/** The door of the feature. Rollouts: starting, moving and reading them. */
export { advance, advanceIfNews } from "./advance.ts";
export { rollouts } from "./routes.ts";
export { judgedIn, openRollouts } from "./rows.ts";
