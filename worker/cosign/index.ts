/** The door of the feature. Targets that operators sign. */
export { settlePending } from "./cosign.ts";
export { routeCosign } from "./routes.ts";
