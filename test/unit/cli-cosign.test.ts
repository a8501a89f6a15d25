/** What an operator is shown before signing: from the bytes that are signed, whatever the control plane says of them. */
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { listSigningLines } from "#cli/commands/cosign/pending.ts";
import { checkToSign } from "#cli/root/pending-targets.ts";
import { buildRoot, makeRootKey, type RootKey, signatureOver } from "#cli/root/name.ts";
import { makeNextRoot, type RootChange } from "#cli/root/succession.ts";
import { encodeBundle } from "#schema/bundle.ts";
import { formatCanonical } from "#schema/canonical.ts";
import type { PendingDetail } from "#schema/cosign.ts";
import { emptyRuleset, type Ruleset } from "#schema/ruleset.ts";
import { ruleOf } from "#test/support/rulesets.ts";
import { targetsPayload } from "#worker/signing/metadata.ts";

const now = Date.parse("2026-11-01T00:00:00Z");
const day = 86_400_000;
const [rootKey, own, snapshot, timestamp, a, b, c] = Array.from({ length: 7 }, makeRootKey) as [
  RootKey,
  RootKey,
  RootKey,
  RootKey,
  RootKey,
  RootKey,
  RootKey,
];
const online = { targets: own.key, snapshot: snapshot.key, timestamp: timestamp.key };
const base = { version: 1, now, threshold: 1, rootKeys: [rootKey.key], online };
const sealed = { keys: [a.key, b.key, c.key], threshold: 2 };
const root = buildRoot({ ...base, targets: sealed });

const withSet = (...elements: readonly string[]): Ruleset => ({
  ...emptyRuleset,
  sets: [{ name: "g_office", kind: "addresses", elements: [...elements] }],
});
const bundleOf = (ruleset: Ruleset): string => Buffer.from(encodeBundle(ruleset)).toString();
function targetsOf(seq: number, ruleset: Ruleset, host = "gw") {
  const bundle = bundleOf(ruleset);
  const issued = "2026-11-01T00:00:00Z";
  const custom = {
    host,
    fleet: "f1",
    seq,
    revision: seq,
    min_revision: 0,
    issued,
    prev: null,
    crit: [],
  };
  const named = {
    length: Buffer.byteLength(bundle),
    sha256: createHash("sha256").update(bundle).digest("hex"),
  };
  return formatCanonical(targetsPayload({ ...custom, mode: "enforce" }, named, now + 90 * day));
}
const signedBy = (text: string, ...keys: readonly RootKey[]): string =>
  formatCanonical({
    signatures: keys.map((key) => signatureOver(text, key)),
    signed: JSON.parse(text) as object,
  });

const old = withSet("192.0.2.1");
const fresh = withSet("192.0.2.1", "203.0.113.66");
const served = { targets: signedBy(targetsOf(4, old), a, b), bundle: bundleOf(old) };
const detail: PendingDetail = {
  host: "gw",
  seq: 5,
  revision: 5,
  bundle_sha256: "0".repeat(64),
  expires_at: "2027-01-01T00:00:00Z",
  at: "2026-11-01T00:00:00Z",
  signed_by: [],
  threshold: 2,
  targets: targetsOf(5, fresh),
  bundle: bundleOf(fresh),
  served,
};
const check = (over: Partial<PendingDetail> = {}) =>
  checkToSign({ ...detail, ...over }, root, "gw", now);

test("the change is told against what targets keys signed before", () => {
  expect(check()).toMatchObject({
    compared: true,
    change: { sets: [{ added: ["203.0.113.66"], removed: [] }] },
  });
});

test.each<[string, PendingDetail["served"]]>([
  ["nothing was served", null],
  ["one operator signed", { ...served, targets: signedBy(targetsOf(4, fresh), a) }],
  [
    "the control plane signed",
    { targets: signedBy(targetsOf(4, fresh), own, a), bundle: bundleOf(fresh) },
  ],
  [
    "a later seq was signed",
    { targets: signedBy(targetsOf(5, fresh), a, b), bundle: bundleOf(fresh) },
  ],
])("a control plane that says the host has it all already is not believed: %s", (_, claimed) => {
  const added = ["192.0.2.1", "203.0.113.66"];
  expect(check({ served: claimed })).toMatchObject({
    compared: false,
    change: { sets: [{ added }] },
  });
});

test.each<[string, Partial<PendingDetail>, RegExp]>([
  [
    "another bundle than the targets name",
    { bundle: bundleOf(old) },
    /not the one that the targets name/,
  ],
  ["targets of another host", { targets: targetsOf(5, fresh, "db1") }, /are for host db1/],
  ["targets of another seq", { targets: targetsOf(6, fresh) }, /not those of seq 5/],
  [
    "targets that are not canonical",
    { targets: `${detail.targets} ` },
    /not metadata in canonical form/,
  ],
  [
    "a served bundle that its targets do not name",
    { served: { ...served, bundle: detail.bundle } },
    /not the one/,
  ],
])("refuses to show %s, so that nobody signs it", (_, over, message) => {
  expect(() => check(over)).toThrow(message);
});

test("a scope that differs is told, and everything else that is signed", () => {
  const office = (subnet: string): Ruleset => ({
    ...old,
    scopes: [{ kind: "overlay", name: "office", interfaces: ["tun0"], subnets: [subnet] }],
    rules: (["peer", "out", "in"] as const).map((direction) =>
      ruleOf({ scope: "overlay/office", direction, verdict: "drop", counter: "r_end" }),
    ),
  });
  const [before, after] = [office("10.8.0.0/24"), office("10.8.0.0/16")];
  const signed = { targets: signedBy(targetsOf(4, before), a, b), bundle: bundleOf(before) };
  const shown = check({ targets: targetsOf(5, after), bundle: bundleOf(after), served: signed });
  expect(shown.change).toMatchObject({
    scopes: {
      added: ["overlay office by tun0 for 10.8.0.0/16"],
      removed: ["overlay office by tun0 for 10.8.0.0/24"],
    },
    rules: { added: [], removed: [] },
  });
  const lines = listSigningLines(shown).map(({ text }) => text);
  expect(lines).toContain("    + scope overlay office by tun0 for 10.8.0.0/16");
  expect(lines.at(-1)).toBe(
    `    also signed: {"crit":[],"host":"gw","issued":"2026-11-01T00:00:00Z","min_revision":0,"prev":null}`,
  );
});

const unchanged: RootChange = {
  add: [],
  remove: [],
  threshold: undefined,
  online: undefined,
  targets: undefined,
  days: undefined,
};

test("operators' keys stay through a rotation of the online keys, and go only when that is said", () => {
  const other = { ...online, targets: makeRootKey().key, timestamp: makeRootKey().key };
  expect(makeNextRoot(root, { ...unchanged, online: other }, now).roles.targets).toEqual(
    root.roles.targets,
  );
  const back = makeNextRoot(root, { ...unchanged, online, targets: "control plane" }, now);
  expect(back.roles.targets).toEqual({ keyids: [own.keyid], threshold: 1 });
});

test.each<[string, RootChange["targets"], RegExp]>([
  ["one key alone", { keys: [a.key], threshold: 1 }, /two keys at least/],
  ["a key twice", { keys: [a.key, a.key], threshold: 2 }, /names a key twice/],
  [
    "more signatures than keys",
    { keys: [a.key, b.key], threshold: 3 },
    /asks for 3 signatures and has 2 keys/,
  ],
  [
    "the control plane's key as enough",
    { keys: [own.key, a.key], threshold: 1 },
    /sign alone beside operators' keys$/,
  ],
  [
    "a lease key among them",
    { keys: [a.key, timestamp.key], threshold: 2 },
    /^the timestamp key .* is a targets key too$/,
  ],
  [
    "a root key among them",
    { keys: [a.key, rootKey.key], threshold: 2 },
    /^the targets key .* is a root key too$/,
  ],
])("refuses to give targets to %s", (_, targets, message) => {
  expect(() => makeNextRoot(buildRoot(base), { ...unchanged, online, targets }, now)).toThrow(
    message,
  );
});
