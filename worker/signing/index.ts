/** The door of the feature. What is signed: repositories, roots, and whose keys sign. */
export {
  type ProposeInput,
  makeOwnSignatures,
  proposeAgain,
  proposeHost,
  publishPending,
  signaturesOf,
  addSignatures,
} from "./proposal.ts";
export { operatorsLifetime, snapshotLifetime } from "./metadata.ts";
export { BundleTooLarge, type Floor, bundleOf, publishHost, renewLease } from "./repository.ts";
export { routeRoot } from "./root-routes.ts";
export {
  type RootInForce,
  isStoredRoot,
  readLatestRoot,
  readRootByVersion,
  readRootInForce,
  readRootsAfter,
} from "./root-rows.ts";
export { givesLeaseTo, findOutdated, findUnnamedRoles } from "./signers.ts";
export type { Pending, Proposed, Published, Repository } from "./types.ts";
export { verifyEd25519 } from "./verify.ts";
