/** The door of the feature. The audit chain as it is read. */
export { audit } from "./routes.ts";
