/** The door of the feature. How intent is changed: plan, preview and the one writer. */
export { routeCatalog } from "./catalog-routes.ts";
export { routeOverlays } from "./overlay-routes.ts";
export { routeCommits } from "./routes.ts";
export { addWrites } from "./row-routes.ts";
export { rowTag } from "./row-write.ts";
