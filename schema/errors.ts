/** Every code that a program may branch on, as closed unions. Messages are for people and may change; codes do not. */

/** A compile finding. Errors stop a revision, warnings do not. */
export interface Diagnostic {
  readonly severity: "error" | "warning";
  readonly code: DiagnosticCode;
  /** JSON pointer into intent, such as `/members/office/carol/group`; in a commit, into its body. */
  readonly path: string;
  readonly message: string;
  /** Of `still_referenced`: the rows that stand in the way, and where each names the one to be deleted. */
  readonly referencers?: readonly { readonly kind: string; readonly key: string; readonly path: string }[];
}

export type DiagnosticCode =
  | "schema"
  | "unknown_host"
  | "unknown_overlay"
  | "unknown_group"
  | "address_outside_overlay"
  | "duplicate_address"
  | "duplicate_interface"
  | "name_too_long"
  | "overlapping_subnets"
  | "unknown_name"
  | "ambiguous_name"
  | "unknown_target"
  | "empty_source"
  | "no_target"
  | "already_expired"
  | "empty_group"
  | "no_address"
  | "still_referenced"
  | "nothing_to_delete"
  | "duplicate_change"
  | "bundle_too_large"
  | "guard_refused";

/** `code` of a problem+json body (RFC 9457); `problemStatus` in worker/api gives the HTTP status. */
export type ProblemCode =
  | "bad_request"
  | "body_too_large"
  | "unsupported_media_type"
  | "unauthenticated"
  | "forbidden"
  | "not_found"
  | "method_not_allowed"
  | "conflict"
  | "stale_parent"
  | "precondition_failed"
  | "invalid_intent"
  | "release_staged"
  | "nothing_to_release"
  | "token_used"
  | "root_missing"
  | "root_mismatch"
  | "busy"
  | "internal";

/** Why an agent refused something; in its log, its status and its reports. One code per reason. */
export const refusalCodes = [
  // transport
  "unreachable",
  "http_status",
  "response_too_large",
  "response_too_slow",
  "response_encoding",
  "response_malformed",
  // trust
  "metadata_too_large",
  "metadata_malformed",
  "root_invalid",
  "signature_invalid",
  "metadata_expired",
  "version_rollback",
  "version_jump",
  "version_mismatch",
  "hash_mismatch",
  "wrong_host",
  "unknown_critical",
  "min_revision",
  "bundle_hash_mismatch",
  "bundle_not_canonical",
  "bundle_schema",
  "state_unwritable",
  "state_invalid",
  "clock_ahead",
  // guard, render, apply
  "guard_invalid",
  "guard_refused",
  "preset_missing",
  "render_unsupported",
  "check_failed",
  "load_failed",
  "readback_mismatch",
  "probe_failed",
] as const;
export type RefusalCode = (typeof refusalCodes)[number];
