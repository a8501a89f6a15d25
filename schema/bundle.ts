/**
 * The bundle: what a host is to enforce, in canonical bytes, and nothing else. Equal rulesets are equal bytes on every
 * host. Who it is for, when and at which revision stand in the signed TUF target's `custom`.
 *
 * Format history (a new field is a new format; an agent refuses a format it does not know):
 * - 1, 2026-11: overlay and host scopes; address and network sets; class maps.
 * - 2, 2026-12: sections, more scopes, protocols, ends and conditions; class maps name sets (schema/ruleset.ts).
 */
import * as z from "zod";
import { encodeCanonical, parseCanonical } from "./canonical.ts";
import { Key, list, Ordinal, Revision, Sha256, textUpTo } from "./primitives.ts";
import { readFormat1, RulesetFormat1, writeFormat1 } from "./format1.ts";
import { findInconsistencies } from "./ruleset-check.ts";
import { Ruleset } from "./ruleset.ts";
import { UtcTime } from "./time.ts";

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

const Bundle = z.discriminatedUnion("format", [
  z.strictObject({ format: z.literal(1), ruleset: RulesetFormat1 }),
  z.strictObject({ format: z.literal(2), ruleset: Ruleset }),
]);
type Bundle = z.infer<typeof Bundle>;

/** In format 1 where that says it all, so that every agent reads it and its bytes stay as they were; else in format 2. */
export function encodeBundle(ruleset: Ruleset): Uint8Array<ArrayBuffer> {
  const old = writeFormat1(ruleset);
  return old.ok
    ? encodeCanonical({ format: 1, ruleset: old.ruleset } satisfies Bundle)
    : encodeCanonical({ format: 2, ruleset } satisfies Bundle);
}

export type DecodedBundle =
  | { readonly ok: true; readonly format: Bundle["format"]; readonly ruleset: Ruleset }
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
  if (parsed.success)
    return parsed.data.format === 2
      ? { ok: true, format: 2, ruleset: parsed.data.ruleset }
      : decodeFormat1(parsed.data.ruleset);
  return { ok: false, code: "bundle_schema", message: formatFault(parsed.error.issues[0]) };
}

/** Its parts are well-typed; what holds between them is judged by the same function for both formats, in today's words. */
function decodeFormat1(old: RulesetFormat1): DecodedBundle {
  const ruleset = readFormat1(old);
  const [fault] = findInconsistencies(ruleset);
  if (fault === undefined) return { ok: true, format: 1, ruleset };
  const message = formatFault({ ...fault, path: ["ruleset", ...fault.path] });
  return { ok: false, code: "bundle_schema", message };
}

const formatFault = (
  fault: { readonly path: readonly PropertyKey[]; readonly message: string } | undefined,
): string =>
  `/${(fault?.path ?? []).map(String).join("/")}: ${fault?.message ?? "not a bundle"}`.slice(
    0,
    messageMax,
  );
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
