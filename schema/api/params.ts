/** Path parameters. */
import * as z from "zod";
import { kinds } from "../intent.ts";
import { makeDecimal } from "./common.ts";
import { CommonName, Key } from "../primitives.ts";

export const HostParam = z.strictObject({ host: Key });
export const OverlayParam = z.strictObject({ overlay: Key });
export const MemberParams = z.strictObject({ overlay: Key, cn: CommonName });
export const RolloutParam = z.strictObject({
  id: makeDecimal(1, Number.MAX_SAFE_INTEGER),
});
export const TokenParam = z.strictObject({ id: z.string().regex(/^[a-z0-9]{16}$/) });

export const InvitationParam = z.strictObject({ id: z.string().regex(/^[0-9a-f]{16}$/) });

/** By the kind that the parameter is named after. */
export const rowParams = {
  host: z.strictObject({ host: kinds.host.key }),
  overlay: z.strictObject({ overlay: kinds.overlay.key }),
  service: z.strictObject({ service: kinds.service.key }),
  zone: z.strictObject({ zone: kinds.zone.key }),
} as const;

/** A revision in a path: digits and nothing else, so that `12abc` is not 12. */
const RevisionNumber = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,14})$/)
  .transform(Number);
export const RevisionParam = z.strictObject({ revision: RevisionNumber });
export const RulesetParams = z.strictObject({ revision: RevisionNumber, host: Key });
export const RulesetQuery = z.strictObject({ format: z.enum(["json", "nft"]).default("json") });

export const RootParam = z.strictObject({
  version: z
    .string()
    .regex(/^[1-9]\d{0,14}$/)
    .transform(Number),
});
export const MetadataParams = z.strictObject({
  host: Key,
  file: z.string().regex(/^(?:timestamp|[1-9]\d{0,14}\.(?:root|snapshot|targets))\.json$/),
});
export const TargetParams = z.strictObject({
  host: Key,
  file: z.string().regex(/^[0-9a-f]{64}\.bundle\.json$/),
});
