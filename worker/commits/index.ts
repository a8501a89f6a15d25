/** The door of the feature. How intent is changed: plan, preview and the one writer. */
export { catalog } from "./catalog-routes.ts";
export { overlays } from "./overlay-routes.ts";
export { commits } from "./routes.ts";
export { addWrites } from "./row-routes.ts";
export { rowTag } from "./row-write.ts";
