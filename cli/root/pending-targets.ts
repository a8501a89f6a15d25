/**
 * Targets that wait for operators' signatures, as a signer's machine sees them. It believes the control plane nothing:
 * the bundle must be the one that the targets name, and is compared with what the targets keys of the root signed
 * before; where they signed nothing yet, all of it counts as new. Pure but for what is fetched.
 */
import type * as z from "zod";
import { Refused } from "#core/refused.ts";
import { requireIssued, requireNear, requireUnexpired } from "#core/tuf/times.ts";
import { requireCustom } from "#core/tuf/verify.ts";
import { bundlePath, type BundleCustom, decodeBundle } from "#schema/bundle.ts";
import type { HostPlan } from "#schema/api/commits.ts";
import { formatCanonical } from "#schema/canonical.ts";
import type { CosignResponse, PendingDetail } from "#schema/cosign.ts";
import { emptyRuleset, type Ruleset } from "#schema/ruleset.ts";
import { envelope, type Root, Targets } from "#schema/tuf.ts";
import { compareRulesets, elementCount, type Lines } from "#core/simulate/difference.ts";
import { nothingOpens, opensBetween } from "#core/simulate/opens.ts";
import type { Client } from "#cli/http/client.ts";
import { Failure } from "#cli/text/output.ts";
import { signersOf } from "./file.ts";
import { type RootKey, sha256Of, signatureOver } from "./name.ts";

export interface ToSign {
  readonly detail: PendingDetail;
  readonly custom: BundleCustom;
  readonly expires: string;
  /** What changes on the host, in the words of a plan. */
  readonly change: HostPlan;
  /** Whether `change` is against what targets keys of the root signed; if not, against nothing. */
  readonly compared: boolean;
}

/** @throws Failure when what is given is not whole: nothing of it should be signed then; Refusal when nothing waits */
export async function readToSign(
  client: Client,
  root: Root,
  host: string,
  now: number,
): Promise<ToSign> {
  return checkToSign(
    await client.call("GET /v1/cosign/:host", { params: { host } }),
    root,
    host,
    now,
  );
}

/** @throws Failure, also for what no host would believe now */
export function checkToSign(detail: PendingDetail, root: Root, host: string, now: number): ToSign {
  const { targets, ruleset } = openTargets(detail.targets, detail.bundle, host, Targets);
  const { custom } = targets.targets[bundlePath];
  if (targets.version !== detail.seq)
    throw new Failure(`${host}: the targets are not those of seq ${detail.seq}`);
  requireBelievable(targets, host, now);
  const before = readServedBefore(detail, root, host);
  return {
    detail,
    custom,
    expires: targets.expires,
    compared: before !== undefined,
    change: changeOf(host, before, ruleset, custom.mode),
  };
}

/** What no host would believe, whoever signs it, is not shown to be signed. @throws Failure */
function requireBelievable(signed: Targets, host: string, now: number): void {
  const { custom } = signed.targets[bundlePath];
  try {
    requireCustom(custom, signed.version, 0);
    requireUnexpired({ role: "targets", signed }, now);
    requireNear({ role: "targets", signed }, now);
    requireIssued(custom.issued, now);
  } catch (error) {
    if (error instanceof Refused) throw new Failure(`${host}: ${error.message}`);
    throw error;
  }
}

/** Targets of this host in canonical text, and the very bundle that they name. @throws Failure */
function openTargets<T extends Targets>(
  text: string,
  bundle: string,
  host: string,
  schema: z.ZodType<T>,
) {
  const parsed = schema.safeParse(parseJson(text));
  if (!parsed.success || formatCanonical(parsed.data) !== text)
    throw new Failure(`${host}: the targets are not metadata in canonical form`);
  const { length, hashes, custom } = parsed.data.targets[bundlePath];
  if (custom.host !== host) throw new Failure(`${host}: the targets are for host ${custom.host}`);
  const bytes = new TextEncoder().encode(bundle);
  if (sha256Of(bundle) !== hashes.sha256 || bytes.length !== length)
    throw new Failure(`${host}: the bundle is not the one that the targets name`);
  const decoded = decodeBundle(bytes);
  if (!decoded.ok) throw new Failure(`${host}: the bundle cannot be read: ${decoded.message}`);
  return { targets: parsed.data, ruleset: decoded.ruleset };
}

function readServedBefore(
  { served, seq }: PendingDetail,
  root: Root,
  host: string,
): Ruleset | undefined {
  const file =
    served === null ? undefined : envelope(Targets).safeParse(parseJson(served.targets)).data;
  if (served === null || file === undefined || file.signed.version >= seq) return undefined;
  if (signersOf(file, root, "targets").length < root.roles.targets.threshold) return undefined;
  return openTargets(formatCanonical(file.signed), served.bundle, host, Targets).ruleset;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function changeOf(
  host: string,
  before: Ruleset | undefined,
  after: Ruleset,
  mode: BundleCustom["mode"],
): ToSign["change"] {
  const { scopes, rules, sets, other } = compareRulesets(before ?? emptyRuleset, after);
  const { opens, closes, more } =
    mode === "closed" ? nothingOpens() : opensBetween(before ?? emptyRuleset, after);
  const lines = ({ added, removed }: Lines) => ({ added: [...added], removed: [...removed] });
  return {
    host,
    before: before === undefined ? null : sizeOf(before),
    after: mode === "closed" ? null : sizeOf(after),
    opens,
    closes,
    more,
    scopes: lines(scopes),
    rules: lines(rules),
    sets: sets.map((set) => ({
      name: set.name,
      ...lines(set),
      added_count: set.added.length,
      removed_count: set.removed.length,
    })),
    other: [...other],
  };
}

const sizeOf = (ruleset: Ruleset) => ({
  bundle_sha256: "",
  rules: ruleset.rules.length,
  elements: elementCount(ruleset),
});

/** Signs exactly what was shown, and hands the signature in. @throws Refusal, Failure */
export function sendSignature(
  client: Client,
  { detail }: ToSign,
  key: RootKey,
): Promise<CosignResponse> {
  const { host, seq, targets } = detail;
  return client.call("PUT /v1/cosign/:host", {
    params: { host },
    body: { seq, signatures: [signatureOver(targets, key)] },
  });
}
