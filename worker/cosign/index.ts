/** The door of the feature. Targets that operators sign. */
export { tendPending } from "./cosign.ts";
export { cosign } from "./routes.ts";
