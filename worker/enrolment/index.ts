/** The door of the feature. How a host joins. */
export { routeEnrolments } from "./routes.ts";
