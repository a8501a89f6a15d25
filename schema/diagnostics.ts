/**
 * What each finding of the control plane means and what to do about it, once: `code` of a diagnostic, and of a root or
 * a signature that is not taken. Their order and their names stand in refusals.ts; this table is total over them.
 */
import type { findingCodes } from "./refusals.ts";

type FindingCode = (typeof findingCodes)[number];

interface FindingEntry {
  /** `error`: nothing is written. `warning`: written all the same. `either`: the finding itself says which. */
  readonly severity: "error" | "warning" | "either";
  /** What was found, in one sentence. */
  readonly cause: string;
  /** What to do, for whoever wrote it. */
  readonly remedy: string;
}

const findings = {
  schema: {
    severity: "error",
    cause: "A value has another form than its field takes, or a field is unknown.",
    remedy: "Write what the message expects at the path that it names.",
  },
  unknown_host: {
    severity: "error",
    cause: "An overlay or a member names a host that is not declared.",
    remedy: "Declare the host, or correct its name.",
  },
  unknown_overlay: {
    severity: "error",
    cause: "A member belongs to an overlay that is not declared.",
    remedy: "Declare the overlay, or correct its name.",
  },
  unknown_group: {
    severity: "error",
    cause: "A member is in a group that its overlay does not declare.",
    remedy: "Add the group to the overlay's groups, or correct its name.",
  },
  address_outside_overlay: {
    severity: "error",
    cause: "A member's address lies in no subnet of its overlay.",
    remedy: "Correct the address, or add the subnet to the overlay.",
  },
  duplicate_address: {
    severity: "error",
    cause: "An address belongs to two machines, or to two members of one overlay.",
    remedy: "Give each its own address. A member that is a declared host says so: host: NAME.",
  },
  inside_overlay: {
    severity: "warning",
    cause: "A host's address lies in a subnet of an overlay that it is no member of.",
    remedy:
      "Make it a member with host: NAME if it comes by the tunnel; else correct the address or the subnet.",
  },
  unusable_address: {
    severity: "error",
    cause: "An address or a network is one that no packet comes from, or is every address.",
    remedy: "Write the address or the network that packets come from.",
  },
  link_local_address: {
    severity: "warning",
    cause: "An address is link-local, which is another machine on each link.",
    remedy: "Use a global or unique local address.",
  },
  duplicate_interface: {
    severity: "error",
    cause: "Two overlays of one host have the same interface.",
    remedy: "Give each overlay an interface of its own.",
  },
  unusable_interface: {
    severity: "error",
    cause: "An overlay's interface is the loopback.",
    remedy: "Name the tunnel's interface.",
  },
  uplink_interface: {
    severity: "warning",
    cause: "An overlay's interface is named as a network card is.",
    remedy:
      "Name the tunnel's interface. On a card, everybody outside the subnets counts as spoofed.",
  },
  name_too_long: {
    severity: "error",
    cause: "A name is too long for the counter that is named after it.",
    remedy: "Shorten the name. Each character but letters and digits counts two or three.",
  },
  similar_names: {
    severity: "warning",
    cause: "Two names differ by case alone.",
    remedy: "Rename one, or correct the one that is mistyped.",
  },
  overlapping_subnets: {
    severity: "error",
    cause: "Two subnets overlap, of one overlay or of two on one host.",
    remedy: "Correct the subnets: an address lies in one of them at most.",
  },
  unknown_name: {
    severity: "error",
    cause: "A source names a zone, role, host or group that does not exist.",
    remedy: "Declare it, or correct the name.",
  },
  ambiguous_name: {
    severity: "error",
    cause: "A bare name fits two of zone, role and host.",
    remedy: "Write which one is meant, such as role:NAME.",
  },
  unknown_target: {
    severity: "error",
    cause: "A service's to names a role or a host that does not exist.",
    remedy: "Declare it, or correct the name.",
  },
  empty_source: {
    severity: "either",
    cause:
      "A source exists and has no address, so that the grant matches nothing. An error where the grant is required.",
    remedy: "Give it members or addresses, or take the grant away.",
  },
  unreachable_source: {
    severity: "either",
    cause:
      "An overlay's own rules drop what the grant allows. An error where the grant is required.",
    remedy: "Change the overlay, or take the grant away.",
  },
  no_target: {
    severity: "warning",
    cause: "No host has the role of a service, so that its grants are nowhere.",
    remedy: "Give a host the role, or correct the service's name or its to.",
  },
  already_expired: {
    severity: "warning",
    cause: "A grant's expires_at has passed.",
    remedy: "Take the grant away, or correct the time.",
  },
  empty_group: {
    severity: "warning",
    cause: "A group of an overlay has no member and matches nothing.",
    remedy: "Add a member, or take the group away.",
  },
  no_address: {
    severity: "warning",
    cause: "A member has no address and matches nothing.",
    remedy: "Give it a fixed address.",
  },
  still_referenced: {
    severity: "error",
    cause: "Other rows name the row that is to be deleted.",
    remedy: "Change the rows that the finding lists, in the same commit or before.",
  },
  nothing_to_delete: {
    severity: "error",
    cause: "A change deletes a row that does not exist.",
    remedy: "Correct the key, or leave the change out.",
  },
  duplicate_change: {
    severity: "error",
    cause: "Two changes of one commit are about the same row.",
    remedy: "Send one change for each row.",
  },
  bundle_too_large: {
    severity: "error",
    cause: "A host's bundle would be larger than agents take.",
    remedy: "Take members, networks or grants away from this host, or spread them over more hosts.",
  },
  guard_refused: {
    severity: "either",
    cause:
      "The guard that a host last reported refuses the bundle. A warning where it refuses as much already.",
    remedy:
      "Change the row or the line of the guard that is named; allow the host by name if its guard changes too.",
  },

  root_too_large: {
    severity: "error",
    cause: "A root is larger than its bound.",
    remedy: "Name fewer keys.",
  },
  root_malformed: {
    severity: "error",
    cause: "A root has another form than agreed.",
    remedy: "Make it with portcullis root rotate.",
  },
  root_keys: {
    severity: "error",
    cause: "A root names keys as no root may: unknown, in two roles, or no point of the curve.",
    remedy: "Correct the key that the message names, and have the root signed again.",
  },
  root_version: {
    severity: "error",
    cause: "A root is not one version above the root in force.",
    remedy: "Write the successor of the root in force: portcullis root rotate.",
  },
  root_expired: {
    severity: "error",
    cause: "A root is past its end.",
    remedy: "Write it with a later end, and have it signed again.",
  },
  root_time_far: {
    severity: "error",
    cause: "A root's end is further ahead than a root lives at most.",
    remedy: "Write it with an end within five years; check the clocks.",
  },
  root_threshold: {
    severity: "error",
    cause: "A root lacks signatures of the root before it, or of its own keys.",
    remedy: "Have the missing signers run portcullis root sign, and push it again.",
  },
  root_online_keys: {
    severity: "error",
    cause: "A root names other online keys than the control plane holds.",
    remedy:
      "Write it with portcullis root rotate --online, or give the control plane the keys that it names.",
  },
  targets_signature: {
    severity: "error",
    cause: "A signature over targets is not by a key that the root names, or not over these bytes.",
    remedy: "Sign what the host waits for now: portcullis cosign sign.",
  },
} as const satisfies Record<FindingCode, FindingEntry>;

export const findingEntry = (code: FindingCode): FindingEntry => findings[code];
