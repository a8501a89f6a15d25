/** The door of the feature. Targets that operators sign. */
export { settlePending } from "./signatures.ts";
export { routeCosign } from "./routes.ts";
