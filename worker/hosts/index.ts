/** The door of the feature. Who a host is, and when it was seen. */
export { redeemAssertion } from "./assertion.ts";
export {
  type Caller,
  type HostCredentials,
  openHostCredentials,
  hostTokenLifetime,
} from "./credential.ts";
export { type Fleet, openFleet } from "./fleet.ts";
export {
  type Speaker,
  findIdentity,
  forgetAssertions,
  putIdentity,
  revokeIdentity,
  suspectClone,
  suspectedOf,
} from "./identity-rows.ts";
export { type Sightings, openSightings, sightingSlackMs } from "./sightings.ts";
export {
  type HostStatus,
  type HostStatusRow,
  readExpiries,
  readGuards,
  readHostStatus,
  readHostStatuses,
} from "./status-rows.ts";
