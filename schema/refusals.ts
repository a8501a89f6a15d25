/**
 * Every code that a program may branch on, once: what class it is of, what it means, what to do about it. Messages are
 * for people and may change; codes do not. Agent, control plane and command line derive their tables from these. What a
 * request is refused with as a whole stands in problems.ts.
 */

/** Codes of a table, in the order in which they stand there. */
type Code<T> = Extract<keyof T, string>;
export const codesOf = <T extends object>(table: T): [Code<T>, ...Code<T>[]] =>
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
  unreachable: {
    class: "transport",
    cause: "The control plane could not be reached.",
    remedy: wait,
  },
  http_status: {
    class: "transport",
    cause: "The control plane answered with an error.",
    remedy: `${wait} After a long 401 or 403, see that this host's clock is right; then ask whether its key was revoked, and only then enrol it again.`,
  },
  response_too_large: { class: "transport", cause: "An answer was too large.", remedy: ask },
  response_too_slow: { class: "transport", cause: "An answer did not come in time.", remedy: wait },
  response_encoding: {
    class: "transport",
    cause: "An answer came compressed or otherwise changed.",
    remedy: "A proxy changes what the control plane sends; let it pass this address unchanged.",
  },
  response_malformed: {
    class: "transport",
    cause: "An answer had another form than agreed.",
    remedy: ask,
  },

  metadata_too_large: {
    class: "forged",
    cause: "Metadata was larger than its bound.",
    remedy: ask,
  },
  metadata_malformed: {
    class: "forged",
    cause: "Metadata had another form than agreed.",
    remedy: ask,
  },
  root_invalid: {
    class: "forged",
    cause: "A new root does not follow from the one held.",
    remedy: ask,
  },
  signature_invalid: {
    class: "forged",
    cause: "Metadata lacks signatures that it needs.",
    remedy: `After a root that names other keys, or operators as signers, they have yet to sign (portcullis cosign list): nothing to do here. Else: ${ask}`,
  },
  metadata_expired: {
    class: "late",
    cause: "The metadata that was served is past its end.",
    remedy:
      "The control plane no longer renews leases, or this host's clock is wrong; after its grace this host does what its guard says: closes, or holds.",
  },
  version_rollback: {
    class: "late",
    cause: "The metadata that was served is older than what this host has seen.",
    remedy:
      "The control plane serves an older state than this host has seen, perhaps from a backup.",
  },
  version_jump: { class: "forged", cause: "A version rose further than it may.", remedy: ask },
  version_mismatch: {
    class: "forged",
    cause: "Two pieces of metadata name other versions.",
    remedy: ask,
  },
  hash_mismatch: { class: "forged", cause: "Metadata is not the one that was named.", remedy: ask },
  wrong_host: { class: "forged", cause: "The metadata is for another host or fleet.", remedy: ask },
  unknown_critical: {
    class: "forged",
    cause: "The metadata asks for something that this agent does not know.",
    remedy: upgrade,
  },
  min_revision: {
    class: "forged",
    cause: "The revision is older than the root allows.",
    remedy: ask,
  },
  bundle_hash_mismatch: {
    class: "forged",
    cause: "The bundle is not the one that was named.",
    remedy: ask,
  },
  bundle_not_canonical: {
    class: "forged",
    cause: "The bundle is not in canonical form.",
    remedy: ask,
  },
  bundle_schema: {
    class: "forged",
    cause: "The bundle says something that this agent does not know.",
    remedy: upgrade,
  },

  state_unwritable: {
    class: "host",
    cause: "The state directory could not be written.",
    remedy:
      "Free or repair the disk that holds the state directory; the last committed ruleset stays.",
  },
  state_invalid: {
    class: "host",
    cause: "What this host had written down about its trust is gone or damaged.",
    remedy:
      "Nothing new is accepted. Run leave and enrol this host again; the rules stay until you do.",
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
    remedy:
      "Change the rows that the guard does not admit, or the line of the guard that says so; the last committed ruleset stays.",
  },
  preset_missing: {
    class: "guard",
    cause: "This host is of a kind that needs a preset in its guard.",
    remedy:
      "Nothing is enforced before the guard names the preset: presets: [{ name: proxmox-node, cluster: [<the cluster's networks>] }].",
  },

  render_unsupported: {
    class: "apply",
    cause: "The ruleset cannot be said on this host.",
    remedy: upgrade,
  },
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
    remedy:
      "The kernel held something else than was loaded; another program may edit table inet portcullis.",
  },
  probe_failed: {
    class: "apply",
    cause: "Under the new ruleset the host did not reach what it must reach.",
    remedy:
      "Under the new ruleset this host did not reach the control plane, or what the guard's probes name: it went back. Correct the rules and publish them, or the probes of the guard: either is tried at once.",
  },
} as const satisfies Record<string, RefusalEntry>;

/** Lines of a guard by which it may not admit a bundle, and what to do about each. */
const guardLines = {
  judged_input:
    "The bundle leaves open what it does not judge. Tell whoever runs the control plane.",
  "limits.max_rules":
    "The bundle has more rules than limits.max_rules: raise it in the guard, or take rows away.",
  "limits.max_elements":
    "The bundle has more addresses than limits.max_elements: raise it in the guard, or take members or networks away.",
  "limits.max_any_accept":
    "Rows open more ports to everybody than limits.max_any_accept: narrow their sources, or raise it in the guard.",
  "forward.interfaces":
    "An overlay is on a device that the guard does not name under forward.interfaces: name it there, or correct the overlay's interfaces.",
  "forward.subnets":
    "An overlay's subnets are as wide as everybody: correct them, or name them under forward.subnets in the guard.",
  never_accept_from_any:
    "A row opens to everybody what this guard never opens: narrow its source, or take the port out of never_accept_from_any.",
} as const satisfies Record<string, string>;
export type GuardLine = keyof typeof guardLines;
export const guardLineNames = codesOf(guardLines);

/** What to do about a refusal; `line` is the guard's, where it was the guard that refused. */
export const remedyOf = (code: RefusalCode, line?: GuardLine): string =>
  line === undefined
    ? refusals[code].remedy
    : `${guardLines[line]} Until then the last committed ruleset stays.`;

/** Why an agent refused something; in its log, its status and its reports. One code per reason. */
export type RefusalCode = keyof typeof refusals;
export const refusalCodes = codesOf(refusals);
export const refusalEntry = (code: RefusalCode): RefusalEntry => refusals[code];

/** A compile finding. Errors stop a revision, warnings do not. */
export interface Diagnostic {
  readonly severity: "error" | "warning";
  readonly code: DiagnosticCode;
  /** JSON pointer into intent, such as `/members/office/carol/group`; in a commit, into its body. */
  readonly path: string;
  readonly message: string;
  /** Of `still_referenced`: the rows that stand in the way, and where each names the one to be deleted. */
  readonly referencers?: readonly {
    readonly kind: string;
    readonly key: string;
    readonly path: string;
  }[];
  /** Of `guard_refused`: the hosts whose guard it is, sorted. */
  readonly hosts?: readonly string[];
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
