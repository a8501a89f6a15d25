/** The door of the feature. Intent as it is written down, revision by revision. */
export { digestRows } from "./digest.ts";
export { routeRevisions } from "./revision-routes.ts";
export { routeIntent } from "./routes.ts";
export {
  type DatedRow,
  type Intent,
  type RevisionRow,
  Row,
  findRevision,
  findRow,
  readLatestRevisionOfRows,
  listRows,
  readHead,
  readIntent,
  snapshotOf,
} from "./rows.ts";
export { bodyOf, rowView } from "./views.ts";
