/**
 * One reader of a host's metadata: hundreds of mutated files are put before an agent's trust room, and judged by the same
 * functions with the control plane's WebCrypto and the command line's crypto, and targets are shown to an operator who is
 * to sign them. All say the same; what an operator would sign, an agent takes.
 */
import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as z from "zod";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTrust, pinRoot, type Trust } from "#agent/trust/index.ts";
import { checkToSign } from "#cli/root/pending-targets.ts";
import { holds as cliHolds } from "#cli/root/file.ts";
import { Refused } from "#core/refused.ts";
import { type Claim, checkClaims, checkClaimsAsync, type ClaimCheck } from "#core/tuf/claims.ts";
import { readRoot } from "#core/tuf/read.ts";
import { requireFresh, requireTimesNear, type Verified, verifyMetadata } from "#core/tuf/verify.ts";
import { formatCanonical } from "#schema/canonical.ts";
import type { PendingDetail } from "#schema/cosign.ts";
import { Signature } from "#schema/tuf.ts";
import {
  bundle,
  type Files,
  type MetadataMutant,
  metadataMutants,
  owner,
  rootText,
} from "#test/support/metadata-mutants.ts";
import { holds as planeHolds } from "#worker/signing/verify.ts";

/** Undefined when it is taken; else why not. */
type Said = string | undefined;
interface Verdict extends MetadataMutant {
  readonly agent: Said;
  readonly plane: Said;
  readonly cli: Said;
  /** What an operator is told who is to sign the targets; undefined when they are shown. */
  readonly operator: Said;
}

const folder = mkdtempSync(join(tmpdir(), "portcullis-differential-"));
const sha256 = (content: string | Buffer): string =>
  createHash("sha256").update(content).digest("hex");
const root = readRoot(Buffer.from(rootText));
const floors = { root: 1, timestamp: null, snapshot: null, targets: null };

let trust: Trust;
/** The host as it was when it had joined. */
function open(): void {
  const directory = join(folder, "state");
  rmSync(directory, { recursive: true, force: true });
  cpSync(join(folder, "host"), directory, { recursive: true });
  const opened = openTrust(directory, { ...owner, rootSha256: sha256(rootText) }, Date.now());
  if (!opened.ok) throw new Error(opened.refusal.message);
  trust = opened.value;
}

async function agentSays({ timestamp, snapshot, targets }: Files): Promise<Said> {
  const update = {
    roots: [],
    timestamp: Buffer.from(timestamp),
    snapshot: Buffer.from(snapshot),
    targets: Buffer.from(targets),
    bundle,
  };
  const accepted = await trust.accept(update, trust.hint(), Date.now());
  if (!accepted.ok) return accepted.refusal.code;
  open();
  return undefined;
}

const judging = (files: Files): ClaimCheck<Verified> => {
  const file = (text: string) => ({ bytes: Buffer.from(text), sha256: sha256(text) });
  const digested = {
    timestamp: file(files.timestamp),
    snapshot: file(files.snapshot),
    targets: file(files.targets),
  };
  return verifyMetadata(root, digested, owner, floors);
};

async function judgeSays(
  files: Files,
  by: (claim: Claim) => boolean | Promise<boolean>,
): Promise<Said> {
  try {
    const verified = await checkClaimsAsync(judging(files), async (claim) => by(claim));
    requireTimesNear(verified, Date.now());
    requireFresh(verified, Date.now());
    return undefined;
  } catch (error) {
    if (error instanceof Refused) return error.code;
    throw error;
  }
}

function canonicalPayload(text: string): string | undefined {
  try {
    const file = JSON.parse(text) as { signed: unknown; signatures: unknown };
    const isMade =
      z.array(Signature).safeParse(file.signatures).success && formatCanonical(file) === text;
    return isMade ? formatCanonical(file.signed) : undefined;
  } catch {
    return undefined;
  }
}

function operatorSays({ targets }: Files): Said {
  const payload = canonicalPayload(targets);
  if (payload === undefined) return "no text that a control plane makes";
  const at = new Date().toISOString();
  const detail: PendingDetail = {
    host: owner.host,
    seq: 2,
    revision: 7,
    bundle_sha256: sha256(bundle),
    expires_at: at,
    at,
    signed_by: [],
    threshold: 2,
    targets: payload,
    bundle: bundle.toString("utf8"),
    served: null,
  };
  try {
    checkToSign(detail, root.signed, owner.host, Date.now());
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : "";
  }
}

const verdicts: Verdict[] = [];
beforeAll(async () => {
  pinRoot(join(folder, "host"), Buffer.from(rootText));
  open();
  for (const mutant of metadataMutants())
    verdicts.push({
      ...mutant,
      agent: await agentSays(mutant.files),
      plane: await judgeSays(mutant.files, planeHolds),
      cli: await judgeSays(mutant.files, cliHolds),
      operator: operatorSays(mutant.files),
    });
}, 600_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("over hundreds of mutated metadata files", () => {
  test("some are taken and most are not", () => {
    expect(verdicts.length).toBeGreaterThan(400);
    expect(new Set(verdicts.map(({ files }) => JSON.stringify(files))).size).toBeGreaterThan(350);
    expect(verdicts.filter(({ agent }) => agent === undefined).length).toBeGreaterThan(8);
  });

  test("agent, control plane and command line say the same, by the same code", () => {
    const differing = verdicts.filter(({ agent, plane, cli }) => agent !== plane || agent !== cli);
    expect(differing.map(({ title, agent, plane, cli }) => [title, agent, plane, cli])).toEqual([]);
  });

  test("what must be refused is refused, and what must be taken is taken", () => {
    const wrong = verdicts.filter(
      ({ wanted, agent }) => wanted !== undefined && (agent === undefined) !== (wanted === "taken"),
    );
    expect(wrong.map(({ title, wanted, agent }) => [title, wanted, agent])).toEqual([]);
  });

  test("targets that an operator is shown to sign, an agent takes once they are signed", () => {
    // The signer's machine knows the host, as the operator names it, and no fleet.
    const targetsAlone = verdicts.filter(
      ({ title }) => title.startsWith("targets: ") && !title.includes("/fleet "),
    );
    const signedInVain = targetsAlone.filter(
      ({ operator, agent }) => operator === undefined && agent !== undefined,
    );
    expect(targetsAlone.filter(({ operator }) => operator === undefined).length).toBeGreaterThan(3);
    expect(signedInVain.map(({ title, agent }) => [title, agent])).toEqual([]);
  });

  test("a judgement asks the same questions, whether they are answered at once or later", async () => {
    const asked: string[] = [];
    const note = (claim: Claim): boolean => (asked.push(claim.sig), cliHolds(claim));
    const [first] = verdicts;
    if (first === undefined) throw new Error("the sound metadata");
    checkClaims(judging(first.files), note);
    const atOnce = asked.splice(0);
    await checkClaimsAsync(judging(first.files), async (claim) => note(claim));
    expect(asked).toEqual(atOnce);
    expect(asked).toHaveLength(4);
  });
});
