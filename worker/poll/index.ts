/** The door of the feature. What hosts ask: token, update and report. */
export { renewRepository } from "./poll.ts";
export { repository } from "./repository-routes.ts";
export { agent } from "./routes.ts";
export { type Unchanged, noSniff, unchanged, unchangedOr } from "./unchanged.ts";
