/** The door of the feature. What each host is served: its level, its content and its repository. */
export { listForgettable } from "./bundle-rows.ts";
export { type ChangingHost, findChanged } from "./changed.ts";
export {
  type Publications,
  commitStatements,
  makePublicationStatements,
  readServedSeqs,
} from "./commit-rows.ts";
export { type Bases, type Content, type Served, basesOf, servedOf } from "./content.ts";
export {
  type Level,
  type Releases,
  type HostLevel,
  forget,
  levelOf,
  readPinned,
  readReleases,
  readHostLevels,
  readVersions,
  nothingWithheld,
  setLevel,
  shareLevels,
  withhold,
} from "./level-rows.ts";
export {
  listPending,
  readPending,
  signaturesStatement,
  readUnsignedTargets,
} from "./pending-rows.ts";
export { routePins } from "./pin-routes.ts";
export { publish } from "./publish.ts";
export {
  listLeasesEndingBefore,
  readRepository,
  storeRenewal,
  wasPublished,
} from "./repository-rows.ts";
