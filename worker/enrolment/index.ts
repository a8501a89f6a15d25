/** The door of the feature. How a host joins. */
export { enrolments } from "./routes.ts";
