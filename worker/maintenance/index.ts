/** The door of the feature. What cron and the standalone timer do. */
export { maintain } from "./maintain.ts";
