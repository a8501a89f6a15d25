/** The door of the feature. What hosts ask: token, update and report. */
export { renewRepository } from "./poll.ts";
export { routeRepository } from "./repository-routes.ts";
export { routeAgents } from "./routes.ts";
export { type Unchanged, noSniff, openUnchanged, answerUnchangedOr } from "./unchanged.ts";
