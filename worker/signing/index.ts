/** The door of the feature. What is signed: repositories, roots, and whose keys sign. */
export {
  type ProposeInput,
  ownSignatures,
  proposeAgain,
  proposeHost,
  publishPending,
  signaturesOf,
  withSignatures,
} from "./cosign.ts";
export { operatorsLifetime, snapshotLifetime } from "./metadata.ts";
export { BundleTooLarge, type Floor, bundleOf, publishHost, renewLease } from "./repository.ts";
export { root } from "./root-routes.ts";
export {
  type RootInForce,
  isStoredRoot,
  latestRoot,
  rootByVersion,
  rootInForce,
  rootsAfter,
} from "./root-rows.ts";
export { givesLeaseTo, outdated, unnamedRoles } from "./signers.ts";
export type { Pending, Proposed, Published, Repository } from "./types.ts";
export { verifyEd25519 } from "./verify.ts";
