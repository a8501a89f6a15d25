/** The door of the feature. What hosts say of themselves, as it is stored. */
export { readEvidence } from "./evidence-rows.ts";
export { routeHistory } from "./history-routes.ts";
export { forgetReports, storeReport } from "./rows.ts";
