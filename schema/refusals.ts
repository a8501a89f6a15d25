/**
 * Every code that a program may branch on, once: what class it is of, what it means, what to do about it. Messages are
 * for people and may change; codes do not. Agent, control plane and command line derive their tables from these.
 */

/** Codes of a table, in the order in which they stand there. */
type Code<T> = Extract<keyof T, string>;
const codesOf = <T extends object>(table: T): [Code<T>, ...Code<T>[]] =>
  Object.keys(table) as [Code<T>, ...Code<T>[]];

/**
 * What an agent's refusal is about, and so what it is evidence of.
 * - `transport`: the control plane was not reached well; says nothing about what it published.
 * - `forged`: something came that claimed to be signed, and was not what it claimed.
 * - `late`: what came is sound, and older than it should be.
 * - `host`: this host's own disk, state or clock.
 * - `guard`: the host's owner does not admit it.
 * - `apply`: it could not be rendered, loaded or proven here.
 */
type RefusalClass = "transport" | "forged" | "late" | "host" | "guard" | "apply";

interface RefusalEntry {
  readonly class: RefusalClass;
  /** What happened, in one sentence about the host. */
  readonly cause: string;
  /** What to do, for whoever looks at the host. */
  readonly remedy: string;
}

const wait = "Nothing to do here: the last committed ruleset stays, and the agent asks again.";
const ask =
  "The last committed ruleset stays. Tell whoever runs the control plane: it serves what it should not.";
const upgrade =
  "The last committed ruleset stays. Upgrade this agent, or take back the change that needs a newer one.";

const refusals = {
  unreachable: { class: "transport", cause: "The control plane could not be reached.", remedy: wait },
  http_status: {
    class: "transport",
    cause: "The control plane answered with an error.",
    remedy: `${wait} After a long 401 or 403, enrol the host again.`,
  },
  response_too_large: { class: "transport", cause: "An answer was too large.", remedy: ask },
  response_too_slow: { class: "transport", cause: "An answer did not come in time.", remedy: wait },
  response_encoding: {
    class: "transport",
    cause: "An answer came compressed or otherwise changed.",
    remedy: "A proxy changes what the control plane sends; let it pass this address unchanged.",
  },
  response_malformed: { class: "transport", cause: "An answer had another form than agreed.", remedy: ask },

  metadata_too_large: { class: "forged", cause: "Metadata was larger than its bound.", remedy: ask },
  metadata_malformed: { class: "forged", cause: "Metadata had another form than agreed.", remedy: ask },
  root_invalid: { class: "forged", cause: "A new root does not follow from the one held.", remedy: ask },
  signature_invalid: { class: "forged", cause: "Metadata lacks signatures that it needs.", remedy: ask },
  metadata_expired: {
    class: "late",
    cause: "The metadata that was served is past its end.",
    remedy:
      "The control plane no longer renews leases, or this host's clock is wrong; after its grace this host does what its guard says: closes, or holds.",
  },
  version_rollback: {
    class: "late",
    cause: "The metadata that was served is older than what this host has seen.",
    remedy: "The control plane serves an older state than this host has seen, perhaps from a backup.",
  },
  version_jump: { class: "forged", cause: "A version rose further than it may.", remedy: ask },
  version_mismatch: { class: "forged", cause: "Two pieces of metadata name other versions.", remedy: ask },
  hash_mismatch: { class: "forged", cause: "Metadata is not the one that was named.", remedy: ask },
  wrong_host: { class: "forged", cause: "The metadata is for another host or fleet.", remedy: ask },
  unknown_critical: {
    class: "forged",
    cause: "The metadata asks for something that this agent does not know.",
    remedy: upgrade,
  },
  min_revision: { class: "forged", cause: "The revision is older than the root allows.", remedy: ask },
  bundle_hash_mismatch: { class: "forged", cause: "The bundle is not the one that was named.", remedy: ask },
  bundle_not_canonical: { class: "forged", cause: "The bundle is not in canonical form.", remedy: ask },
  bundle_schema: {
    class: "forged",
    cause: "The bundle says something that this agent does not know.",
    remedy: upgrade,
  },

  state_unwritable: {
    class: "host",
    cause: "The state directory could not be written.",
    remedy: "Free or repair the disk that holds the state directory; the last committed ruleset stays.",
  },
  state_invalid: {
    class: "host",
    cause: "What this host had written down about its trust is gone or damaged.",
    remedy: "Nothing new is accepted. Run leave and enrol this host again; the rules stay until you do.",
  },
  time_far: {
    class: "host",
    cause: "A signed time is further ahead than any is made for.",
    remedy:
      "Is this host's clock behind? Set it (NTP). If it is right, whoever holds the online keys signs what must not be believed: rotate them. The last committed ruleset stays.",
  },
  clock_ahead: {
    class: "host",
    cause: "This host's clock is far ahead of its own count of time.",
    remedy:
      "Set this host's clock (NTP). Until then its lease ages by the machine's own counter, and the rules stay.",
  },

  guard_invalid: {
    class: "guard",
    cause: "The guard file cannot be read or is not valid.",
    remedy:
      "Correct the guard file; until then nothing new is accepted and the last committed ruleset stays.",
  },
  guard_refused: {
    class: "guard",
    cause: "The guard does not admit the bundle.",
    remedy: "The bundle is larger than the guard's limits; raise them there, or make the bundle smaller.",
  },
  preset_missing: {
    class: "guard",
    cause: "This host is of a kind that needs a preset in its guard.",
    remedy:
      "Nothing is enforced before the guard names the preset: presets: [{ name: proxmox-node, cluster: [<the cluster's networks>] }].",
  },

  render_unsupported: { class: "apply", cause: "The ruleset cannot be said on this host.", remedy: upgrade },
  check_failed: {
    class: "apply",
    cause: "nft refuses the ruleset.",
    remedy:
      "nft refuses the ruleset on this kernel; the last committed ruleset stays. Report it with this message.",
  },
  load_failed: {
    class: "apply",
    cause: "nft could not load the ruleset.",
    remedy:
      "nft could not load the ruleset; the last committed ruleset stays. Is nft there, and are you root?",
  },
  readback_mismatch: {
    class: "apply",
    cause: "The kernel held something else than was loaded.",
    remedy: "The kernel held something else than was loaded; another program may edit table inet portcullis.",
  },
  probe_failed: {
    class: "apply",
    cause: "Under the new ruleset the host did not reach what it must reach.",
    remedy:
      "Under the new ruleset this host did not reach the control plane, or what the guard's probes name: it went back. Correct the rules and publish again.",
  },
} as const satisfies Record<string, RefusalEntry>;

/** Why an agent refused something; in its log, its status and its reports. One code per reason. */
export type RefusalCode = keyof typeof refusals;
export const refusalCodes = codesOf(refusals);
export const refusalEntry = (code: RefusalCode): RefusalEntry => refusals[code];

/**
 * What a request was refused for.
 * - `bad_input`: the request itself; sent again it is refused again.
 * - `auth`: who asks.
 * - `absent`: what it names is not there.
 * - `conflict`: what stands; it may succeed once that has changed.
 * - `unavailable`: the control plane cannot now; send it again later.
 * - `fault`: a defect of the control plane.
 */
type ProblemClass = "bad_input" | "auth" | "absent" | "conflict" | "unavailable" | "fault";

interface ProblemEntry {
  readonly class: ProblemClass;
  /** HTTP status. */
  readonly status: 400 | 401 | 403 | 404 | 405 | 409 | 412 | 413 | 415 | 422 | 429 | 500 | 503 | 507;
  /** What happened, in one clause. */
  readonly title: string;
  /** What to do, for whoever sent it. */
  readonly remedy: string;
  /** Of `unavailable`: seconds to wait before it is sent again. */
  readonly retryAfter?: number;
}

const problems = {
  bad_request: {
    class: "bad_input",
    status: 400,
    title: "The request is malformed",
    remedy: "Correct what is named and send it again.",
  },
  unauthenticated: {
    class: "auth",
    status: 401,
    title: "Authentication is needed",
    remedy: "Give a token that is in force; it may be mistyped, over or revoked.",
  },
  forbidden: {
    class: "auth",
    status: 403,
    title: "This credential may not do that",
    remedy: "Use a token with the scope that the route needs.",
  },
  not_found: {
    class: "absent",
    status: 404,
    title: "There is nothing here",
    remedy: "Look at the name and the path; the list of its kind shows what there is.",
  },
  method_not_allowed: {
    class: "bad_input",
    status: 405,
    title: "This resource does not know that method",
    remedy: "Use one of the methods in the Allow header.",
  },
  conflict: {
    class: "conflict",
    status: 409,
    title: "Something else stands in the way",
    remedy: "Remove what stands in the way, then send it again.",
  },
  nothing_to_release: {
    class: "conflict",
    status: 409,
    title: "Nothing is withheld from these hosts",
    remedy: "Commit with release staged first, or name other hosts.",
  },
  release_staged: {
    class: "conflict",
    status: 409,
    title: "What changes hosts goes through a rollout here",
    remedy: "Commit it with release staged and start a rollout; in an emergency, one with emergency true.",
  },
  answer_not_kept: {
    class: "conflict",
    status: 409,
    title: "This was done before, and its answer was too large to be kept",
    remedy: "Read what it did at the path in Location; send nothing again.",
  },
  token_used: {
    class: "conflict",
    status: 409,
    title: "This one-time token was used before",
    remedy: "Make a new invitation for the host.",
  },
  root_mismatch: {
    class: "conflict",
    status: 409,
    title: "This is not the root of trust in force",
    remedy: "Compare the root's digest with the one that its owners keep, and use that.",
  },
  stale_parent: {
    class: "conflict",
    status: 412,
    title: "The parent revision is no longer head",
    remedy: "Somebody else committed meanwhile: read again, plan again.",
  },
  precondition_failed: {
    class: "conflict",
    status: 412,
    title: "The row is not what the precondition expects",
    remedy: "Read the row again and send it with its present ETag.",
  },
  body_too_large: {
    class: "bad_input",
    status: 413,
    title: "The body is too large",
    remedy: "Send it in smaller parts.",
  },
  unsupported_media_type: {
    class: "bad_input",
    status: 415,
    title: "The body is not of a type this resource reads",
    remedy: "Send Content-Type: application/json.",
  },
  invalid_intent: {
    class: "bad_input",
    status: 422,
    title: "The intent is not valid, nothing was written",
    remedy: "Correct the rows that are named and send it again.",
  },
  too_many_requests: {
    class: "unavailable",
    status: 429,
    title: "Too many requests of this kind at once",
    remedy: "Send it again after the time in Retry-After.",
    retryAfter: 60,
  },
  internal: {
    class: "fault",
    status: 500,
    title: "Something went wrong here",
    remedy: "Give the request's id to whoever runs the control plane; its log has the reason.",
  },
  busy: {
    class: "unavailable",
    status: 503,
    title: "Too many writers at once, try again",
    remedy: "Send it again after the time in Retry-After.",
    retryAfter: 1,
  },
  storage_full: {
    class: "unavailable",
    status: 507,
    title: "The control plane has no room left to write",
    remedy:
      "Free room where it keeps its data; what it had stored is whole, and what it cannot store is refused.",
    retryAfter: 60,
  },
  root_missing: {
    class: "unavailable",
    status: 503,
    title: "This deployment has no root of trust yet",
    remedy: "Make one with portcullis root init, or push one with portcullis root push.",
    retryAfter: 60,
  },
} as const satisfies Record<string, ProblemEntry>;

/** `code` of a problem+json body (RFC 9457). */
export type ProblemCode = keyof typeof problems;
export const problemCodes = codesOf(problems);
export const problemEntry = (code: ProblemCode): ProblemEntry => problems[code];

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

export const diagnosticCodes = [
  "schema",
  "unknown_host",
  "unknown_overlay",
  "unknown_group",
  "address_outside_overlay",
  "duplicate_address",
  "inside_overlay",
  "unusable_address",
  "link_local_address",
  "duplicate_interface",
  "unusable_interface",
  "uplink_interface",
  "name_too_long",
  "similar_names",
  "overlapping_subnets",
  "unknown_name",
  "ambiguous_name",
  "unknown_target",
  "empty_source",
  "unreachable_source",
  "no_target",
  "already_expired",
  "empty_group",
  "no_address",
  "still_referenced",
  "nothing_to_delete",
  "duplicate_change",
  "bundle_too_large",
  "guard_refused",
] as const;
export type DiagnosticCode = (typeof diagnosticCodes)[number];

/** Why a root of trust was not taken. */
const rootRefusalCodes = [
  "root_too_large",
  "root_malformed",
  "root_keys",
  "root_version",
  "root_expired",
  "root_time_far",
  "root_threshold",
  "root_online_keys",
] as const;
export type RootRefusalCode = (typeof rootRefusalCodes)[number];

/** `code` of one finding inside a problem. */
export const findingCodes = [...diagnosticCodes, ...rootRefusalCodes, "targets_signature"] as const;
