/** The door of the feature. Who may ask: API tokens, invitations and the check before every route. */
export { authorize, readBearer, authorOf, originOf, principalOf } from "./authorize.ts";
export {
  type Enrolment,
  claimEnrolment,
  endAllOf,
  endEnrolment,
  readEnrolmentById,
  findEnrolment,
  insertEnrolment,
  isDeclaredHost,
  listOpen,
  openOf,
} from "./invitation-rows.ts";
export { kinOf } from "./principal.ts";
export { routeTokens } from "./routes.ts";
