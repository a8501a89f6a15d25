/**
 * What agents and the control plane say to each other. The control plane trusts nothing here that is not bound to the
 * host's own key; the agent trusts nothing that is not signed by a role of its pinned root.
 */
import * as z from "zod";
import { sizeLimits } from "./bundle.ts";
import { RoleExpiry } from "./expiry.ts";
import { Guard } from "./guard.ts";
import {
  Address,
  Count,
  Key,
  list,
  Ordinal,
  Port,
  Revision,
  Sha256,
  textUpTo,
  Time,
} from "./primitives.ts";
import { RowId } from "./ruleset.ts";
import { refusalCodes } from "./refusals.ts";

/** Raw Ed25519 public key, 32 bytes, base64url without padding (RFC 8037 `x`). */
const PublicKey = z
  .string()
  .regex(/^[A-Za-z0-9_-]{43}$/, { error: "expected an Ed25519 public key" });

/**
 * Base64 (RFC 4648 §4) of at most the largest of all files: the reader of a file knows its own bound, and says which one
 * is beyond it.
 */
const Base64 = z.base64().max(Math.ceil(sizeLimits.bundle / 3) * 4);

/**
 * Body of `GET /v1/agent/update`: each member is base64 of the exact TUF bytes. `roots` holds the successors of the
 * root the agent said it has, in order; `bundle` is left out when the agent said that it holds that digest.
 */
export const Update = z.strictObject({
  roots: list(Base64, { max: sizeLimits.newRoots }),
  timestamp: Base64,
  snapshot: Base64,
  targets: Base64,
  bundle: Base64.optional(),
});
export type Update = z.infer<typeof Update>;

/** Request and response headers of the poll. */
export const headers = {
  /** `root=3;timestamp=41;targets=17`: the versions an agent holds. */
  seen: "Portcullis-Seen",
  /** Digest of the bundle the agent holds; it is not sent again. */
  bundle: "Portcullis-Bundle",
  /** Fleet generation: what the agent last heard; the response says the current one. */
  generation: "Portcullis-Generation",
  /** `1`: more than half of the lease is gone, sign a fresh timestamp. */
  renew: "Portcullis-Renew",
  /** Seconds until the next poll that the control plane would like. */
  pollAfter: "Portcullis-Poll-After",
  requestId: "X-Request-Id",
} as const;

/** 0: none yet. */
const OrdinalOrNone = z
  .int()
  .min(0)
  .max(2 ** 52);

/** An entity tag (RFC 9110 §8.8.3), without the bytes above ASCII that it allows: it is sent back as it came. */
export const EntityTag = z
  .string()
  .max(200, { abort: true })
  .regex(/^(?:W\/)?"[\x21\x23-\x7e]*"$/, { error: "expected an entity tag" });

/** A fleet generation on the wire: opaque to agents, and sent back as it came. */
export const GenerationTag = z
  .string()
  .regex(/^[\x21-\x7e]{1,64}$/, { error: "expected a generation" });

export const Seen = z.strictObject({
  root: Ordinal,
  timestamp: OrdinalOrNone,
  targets: OrdinalOrNone,
});
export type Seen = z.infer<typeof Seen>;

export const formatSeen = (seen: Seen): string =>
  `root=${seen.root};timestamp=${seen.timestamp};targets=${seen.targets}`;

/** @returns undefined for anything but the exact form */
export function parseSeen(text: string): Seen | undefined {
  const match = /^root=(\d{1,15});timestamp=(\d{1,15});targets=(\d{1,15})$/.exec(text);
  if (match === null) return undefined;
  const [root, timestamp, targets] = match.slice(1).map(Number);
  const parsed = Seen.safeParse({ root, timestamp, targets });
  return parsed.success ? parsed.data : undefined;
}

/**
 * Enrolment. `root_sha256` echoes the root the agent pinned before it sent the token. `proof` is an Ed25519 signature,
 * base64url, by the key over `enrolProof(...)`.
 */
export const EnrolRequest = z.strictObject({
  token: z.string().min(1).max(200),
  public_key: PublicKey,
  root_sha256: Sha256,
  proof: z.string().regex(/^[A-Za-z0-9_-]{86}$/, { error: "expected an Ed25519 signature" }),
});
export type EnrolRequest = z.infer<typeof EnrolRequest>;

/** The bytes an enrolling host signs: it shows that it holds the key, for this token and this root. */
export const enrolProof = (
  tokenSha256: string,
  rootSha256: string,
  publicKey: string,
): Uint8Array<ArrayBuffer> =>
  new TextEncoder().encode(`portcullis-enrol-v1\n${tokenSha256}\n${rootSha256}\n${publicKey}\n`);

export const EnrolResponse = z.strictObject({ host: Key, fleet: Key });
export type EnrolResponse = z.infer<typeof EnrolResponse>;

/** `private_key_jwt` (RFC 7523 §2.2): the host proves its key and gets a stateless token. */
export const TokenRequest = z.strictObject({
  grant_type: z.literal("client_credentials"),
  client_assertion_type: z.literal("urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
  client_assertion: textUpTo(4096),
});
export const TokenResponse = z.strictObject({
  /** RFC 6750 §2.1: it goes into a header as it came. */
  access_token: z
    .string()
    .max(8192, { abort: true })
    .regex(/^[A-Za-z0-9._~+/-]+=*$/, { error: "expected a bearer token" }),
  token_type: z.literal("Bearer"),
  expires_in: z.int().min(1).max(31_536_000),
});
export type TokenResponse = z.infer<typeof TokenResponse>;

/** Audience of client assertions for a fleet. */
export const assertionAudience = (fleet: string): string => `portcullis:${fleet}:token`;

/** Where an agent stands (agent/machine/state.ts). */
export const AgentState = z.enum([
  "unenrolled",
  "adopting",
  "steady",
  "applying",
  "reverted",
  "hold",
  "stale",
  "closed",
  "degraded",
]);
export type AgentState = z.infer<typeof AgentState>;

export const CounterReading = z.strictObject({
  name: textUpTo(200),
  packets: Count,
  bytes: Count,
});
export type CounterReading = z.infer<typeof CounterReading>;

/** The kernel held otherwise than what was applied, in objects we own, since the agent started. */
export const Drift = z.strictObject({
  count: Ordinal,
  /** More than ten in ten minutes: somebody else keeps writing to our table. */
  contended: z.boolean(),
  last: z.strictObject({
    at: Time,
    /** Name of the process that made the change, when the kernel told. */
    by: textUpTo(64).nullable(),
    /** What was missing, surplus or otherwise, row by row; the first of `total`. */
    changes: list(textUpTo(200), { max: 20 }),
    total: Count,
    repaired: z.boolean(),
  }),
});
export type Drift = z.infer<typeof Drift>;

/** A base chain of somebody else's whose drop makes what we accept at that hook moot. */
export const ForeignDrop = z.strictObject({
  family: z.enum(["inet", "ip", "ip6"]),
  table: textUpTo(128),
  chain: textUpTo(128),
  hook: z.enum(["input", "forward"]),
  /** A signed 32-bit number (nft(8)). */
  priority: z
    .int()
    .min(-(2 ** 31))
    .max(2 ** 31 - 1),
  /** Its policy, or a rule without a condition. */
  by: z.enum(["policy", "rule"]),
});
export type ForeignDrop = z.infer<typeof ForeignDrop>;

const PortEntry = { protocol: z.enum(["tcp", "udp"]), port: Port };

/** What listens beside what the ruleset lets in, each by protocol and port; `more`: how many were left out. */
export const Listening = z.strictObject({
  /** Listens where others could reach it, and no row lets anybody in. */
  undeclared: z.strictObject({
    entries: list(
      z.strictObject({
        ...PortEntry,
        addresses: list(textUpTo(45), { min: 1, max: 8 }),
        /** As the process calls itself; null where that could not be read. */
        process: textUpTo(64).nullable(),
      }),
      { max: 64 },
    ),
    more: Count,
  }),
  /** A row lets somebody in from `port` to `last_port`, and nothing listens there. */
  silent: z.strictObject({
    entries: list(z.strictObject({ ...PortEntry, last_port: Port, row: RowId }), { max: 64 }),
    more: Count,
  }),
});
export type Listening = z.infer<typeof Listening>;

/** One report; idempotent by the host's key and n. */
export const Report = z.strictObject({
  /** How far one may be above the last is the control plane's to say. */
  n: Ordinal,
  /**
   * SHA-256 of the body of report n-1 as it was sent; null where none was, or the count was lost. One from an agent that
   * leaves it out is no link, and that agent knows no `next_s`.
   */
  prev: Sha256.nullable().optional(),
  at: Time,
  boot_id: textUpTo(64),
  agent_version: textUpTo(32),
  renderer: textUpTo(64),
  state: AgentState,
  /** What the kernel holds: the committed bundle, or null before the first commit. */
  applied: z
    .strictObject({
      seq: Ordinal,
      revision: Revision,
      bundle_sha256: Sha256,
      program_sha256: Sha256,
    })
    .nullable(),
  seen: Seen,
  guard_sha256: Sha256.nullable(),
  /** The guard's canonical content, presets merged in; null while the file is invalid. */
  guard: Guard.nullable().default(null),
  /**
   * The seq that this host took itself back from last, until a later one is committed; null when there is none. An agent
   * that leaves it out does not say.
   */
  reverted_seq: Ordinal.nullable().optional(),
  /** The last refusal since the previous report, or null. */
  refusal: z
    .strictObject({ code: z.enum(refusalCodes), message: textUpTo(500), at: Time })
    .nullable(),
  counters: list(CounterReading, { max: 20_000 }),
  /** Null when nothing drifted; an agent from before drift was watched does not say. */
  drift: Drift.nullable().default(null),
  /** As of the last listing; null while there was none, or from an agent that does not look. */
  foreign_drops: list(ForeignDrop, { max: 20 }).nullable().default(null),
  /** Null before the first commit, where it could not be read, or from an agent that does not look. */
  listening: Listening.nullable().default(null),
  /** The host's own, without loopback and link-local ones; only ever compared. Null from an agent that does not look. */
  addresses: list(Address, { max: 256 }).nullable().default(null),
  /** Packets that our drops, the last ones among them, dropped since the table was loaded; null when it was not read. */
  drops: Count.nullable().default(null),
  /** Until when the metadata is good that the host holds; null from an agent that does not say. */
  expires: list(RoleExpiry, { max: 4 }).nullable().default(null),
});
export type Report = z.infer<typeof Report>;

/** Answer to a report: the highest `n` stored under the host's key, so that an agent that lost its count goes on above it. */
export const ReportResponse = z.strictObject({
  n: Ordinal,
  /** Seconds until the next report that the control plane would like, while a rollout decides on this host. */
  next_s: z.int().min(15).max(3600).optional(),
});
export type ReportResponse = z.infer<typeof ReportResponse>;

/** `POST /v1/agent/confirm`: a host under a new ruleset shows that it gets here by a new connection; the answer echoes. */
export const Confirmation = z.strictObject({ nonce: z.uuid() });
export type Confirmation = z.infer<typeof Confirmation>;
