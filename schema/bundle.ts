/**
 * The bundle: what a host is to enforce, in canonical bytes, and nothing else. Equal rulesets are equal bytes on every
 * host. Who it is for, when and at which revision stand in the signed TUF target's `custom`.
 *
 * Format history (a new field is a new format; an agent refuses a format it does not know):
 * - 1, 2026-11: overlay and host scopes; address and network sets; class maps.
 */
import * as z from "zod";
import { encodeCanonical, parseCanonical } from "./canonical.ts";
import { Key, list, Ordinal, Revision, Sha256, textUpTo } from "./primitives.ts";
import { Ruleset } from "./ruleset.ts";
import { UtcTime } from "./time.ts";

const bundleFormat = 1;

/** Target path of the bundle in each host's TUF repository. */
export const bundlePath = "bundle.json";

/** Largest sizes in bytes that an agent reads and a control plane publishes (THREATS.md, row 9). */
export const sizeLimits = {
  root: 64 * 1024,
  timestamp: 16 * 1024,
  snapshot: 16 * 1024,
  targets: 64 * 1024,
  bundle: 4 * 1024 * 1024,
  newRoots: 32,
} as const;

export const Bundle = z.strictObject({
  format: z.literal(bundleFormat),
  ruleset: Ruleset,
});
export type Bundle = z.infer<typeof Bundle>;

export const encodeBundle = (ruleset: Ruleset): Uint8Array<ArrayBuffer> =>
  encodeCanonical({ format: bundleFormat, ruleset } satisfies Bundle);

export type DecodedBundle =
  | { readonly ok: true; readonly ruleset: Ruleset }
  | {
      readonly ok: false;
      readonly code: "bundle_not_canonical" | "bundle_schema";
      readonly message: string;
    };

/** A message may name every unknown field. */
const messageMax = 300;

/**
 * Ends at the first fault. A bundle can hold a million, and zod hands them up level by level as arguments of one call,
 * which overflows the stack. Its types leave the option out, which `validate` of zod uses itself.
 */
const firstFault = { abortEarly: true } as z.core.ParseContext<z.core.$ZodIssue>;

/** Reads a bundle; an unknown field, kind or format is refused whole, never skipped (law 1). */
export function decodeBundle(bytes: Uint8Array): DecodedBundle {
  const value = parseCanonical(bytes);
  if (value === undefined)
    return { ok: false, code: "bundle_not_canonical", message: "expected canonical JSON" };
  const parsed = Bundle.safeParse(value, firstFault);
  if (parsed.success) return { ok: true, ruleset: parsed.data.ruleset };
  const issue = parsed.error.issues[0];
  const path = issue === undefined ? "" : issue.path.map(String).join("/");
  const message = `/${path}: ${issue?.message ?? "not a bundle"}`;
  return { ok: false, code: "bundle_schema", message: message.slice(0, messageMax) };
}

/**
 * `targets["bundle.json"].custom`: whose bundle this is and which revision it stands for.
 * `revision` is the last one that changed this host; `crit` names features an agent must know or refuse.
 */
export const BundleCustom = z.strictObject({
  host: Key,
  fleet: Key,
  seq: Ordinal,
  revision: Revision,
  min_revision: Revision,
  issued: UtcTime,
  prev: z.strictObject({ seq: Ordinal, sha256: Sha256 }).nullable(),
  mode: z.enum(["enforce", "closed"]),
  crit: list(textUpTo(64), { max: 16 }),
});
export type BundleCustom = z.infer<typeof BundleCustom>;

/** The snapshot's own `custom`, so that an empty repository cannot be replayed to another host (Uptane #202). */
export const SnapshotCustom = z.strictObject({ host: Key, fleet: Key });
export type SnapshotCustom = z.infer<typeof SnapshotCustom>;
