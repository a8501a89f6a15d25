/** Why the control plane refuses a request, once: class, HTTP status, what it means, what to do about it. */
import { codesOf } from "./refusals.ts";

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
  readonly status:
    | 400
    | 401
    | 403
    | 404
    | 405
    | 409
    | 412
    | 413
    | 415
    | 422
    | 429
    | 500
    | 503
    | 507;
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
    remedy:
      "Give a token that is in force; it may be mistyped, over or revoked; whoever holds the first operator token makes another (portcullis token create).",
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
    remedy:
      "Commit it with release staged and start a rollout; in an emergency, one with emergency true.",
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
