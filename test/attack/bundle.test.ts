/** What a liar on the wire, a thief of keys or a broken control plane may send: refused by code, kernel unchanged. */
import { writeFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { memorySigner } from "#test/support/signing.ts";
import type { RefusalCode } from "#schema/refusals.ts";
import { customEdit, type Files, filesOf, newAuthority, publish, resign } from "./plane.ts";
import { admitting, type Namespace, openNamespace, openVictim, type Victim } from "./victim.ts";

let namespace: Namespace;
let victim: Victim;
let before: string;
beforeAll(async () => void (namespace = await openNamespace()));
afterAll(() => namespace.close());

/** Most attacks meet the same host, one after the other: each must leave it exactly as it was. */
async function fresh(): Promise<void> {
  victim = await openVictim(namespace);
  before = await namespace.ruleset();
}

/** Serves `files` once and holds the outcome against the code and the kernel against its ruleset before. */
async function expectRefused(files: Files, code: RefusalCode): Promise<void> {
  victim.plane.serve(files);
  const { refusal, state } = await victim.cycle();
  expect(refusal?.code).toBe(code);
  expect(state).toMatchObject({ applied: { seq: 2 } });
  expect(await namespace.ruleset()).toBe(before);
  expect(before).toContain("198.51.100.1");
}

/** Changes one character in the middle of `text`, so that it stays a hex digit. */
const flip = (text: string, at: number): string =>
  `${text.slice(0, at)}${text[at] === "0" ? "1" : "0"}${text.slice(at + 1)}`;
const inSignature = (text: string): string => flip(text, text.indexOf('"sig":"') + 20);
const inExpiry = (text: string): string =>
  flip(text, text.indexOf('"expires":"') + '"expires":"20'.length);

/** The honest next update. */
async function third(): Promise<Files> {
  return filesOf(await publish(victim.authority, admitting("203.0.113.9"), victim.second));
}

describe("leaves the host as it was", () => {
  beforeAll(fresh);
  afterAll(() => victim.close());

  describe("one changed byte is refused", () => {
    test.each<[string, RefusalCode, (good: Files) => Files]>([
      [
        "timestamp's signature",
        "signature_invalid",
        (f) => ({ ...f, timestamp: inSignature(f.timestamp) }),
      ],
      [
        "timestamp's expiry",
        "signature_invalid",
        (f) => ({ ...f, timestamp: inExpiry(f.timestamp) }),
      ],
      [
        "snapshot's signature",
        "hash_mismatch",
        (f) => ({ ...f, snapshot: inSignature(f.snapshot) }),
      ],
      ["targets' signature", "hash_mismatch", (f) => ({ ...f, targets: inSignature(f.targets) })],
      [
        "bundle",
        "bundle_hash_mismatch",
        (f) => ({ ...f, bundle: f.bundle.replace("203.0.113.9", "203.0.113.8") }),
      ],
    ])("in the %s: %s", async (_, code, tamper) => expectRefused(tamper(await third()), code));
  });

  test("refuses metadata without signatures", async () => {
    const files = await third();
    const { signed } = JSON.parse(files.timestamp) as { signed: object };
    await expectRefused(
      { ...files, timestamp: JSON.stringify({ signatures: [], signed }) },
      "signature_invalid",
    );
  });

  test.each(["targets", "snapshot", "timestamp"] as const)(
    "refuses %s signed by a stranger's key",
    async (role) => {
      const stranger = { signer: memorySigner(), role };
      await expectRefused(
        await resign(victim.authority, victim.good, { signAs: { [role]: stranger } }),
        "signature_invalid",
      );
    },
  );

  test.each(["targets", "snapshot"] as const)(
    "refuses %s signed by the timestamp's key",
    async (role) => {
      const other = { signer: victim.authority.signer, role: "timestamp" } as const;
      await expectRefused(
        await resign(victim.authority, victim.good, { signAs: { [role]: other } }),
        "signature_invalid",
      );
    },
  );

  test.each([
    ["full", admitting("203.0.113.9")],
    ["empty", { scopes: [], sets: [], classes: [], rules: [] }],
  ])(
    "refuses another host's %s repository, signed by the same control plane",
    async (_, ruleset) => {
      let other = await publish(victim.authority, admitting("203.0.113.1"), undefined, {
        host: "db1",
      });
      other = await publish(victim.authority, admitting("203.0.113.2"), other, { host: "db1" });
      other = await publish(victim.authority, ruleset, other, { host: "db1" });
      await expectRefused(filesOf(other), "wrong_host");
    },
  );

  test("refuses targets for another host under a snapshot for this one", async () => {
    const targets = customEdit((custom) => ({ ...custom, host: "db1" }));
    await expectRefused(await resign(victim.authority, victim.good, { targets }), "wrong_host");
  });

  test("refuses another fleet's repository whose host has the same name", async () => {
    const snapshot = (payload: object) => ({ ...payload, custom: { host: "gw", fleet: "rival" } });
    await expectRefused(await resign(victim.authority, victim.good, { snapshot }), "wrong_host");
  });

  test("refuses a bundle older than the floor", () =>
    expectRefused(filesOf(victim.first), "version_rollback"));

  test("refuses an expired lease", async () => {
    const expires = "2026-01-01T00:00:00Z";
    const timestamp = (payload: object) => ({ ...payload, expires });
    await expectRefused(
      await resign(victim.authority, victim.good, { timestamp }),
      "metadata_expired",
    );
  });

  test("refuses an expiry on a day that does not exist", async () => {
    const timestamp = (payload: object) => ({ ...payload, expires: "2027-02-30T00:00:00Z" });
    await expectRefused(
      await resign(victim.authority, victim.good, { timestamp }),
      "metadata_malformed",
    );
  });

  test("refuses the bundle of one seq under the metadata of another", async () => {
    await expectRefused(
      { ...(await third()), bundle: filesOf(victim.first).bundle },
      "bundle_hash_mismatch",
    );
  });

  test.each(["snapshot", "targets"] as const)(
    "refuses an old %s under a new timestamp",
    async (role) => {
      await expectRefused({ ...(await third()), [role]: victim.good[role] }, "hash_mismatch");
    },
  );

  test("refuses another timestamp under a version it has seen", async () => {
    const timestamp = (payload: object) => ({ ...payload, version: 2 });
    await expectRefused(
      await resign(victim.authority, victim.good, { timestamp }),
      "version_mismatch",
    );
  });

  test("refuses a version that jumps further than 2^20", async () => {
    const timestamp = (payload: object) => ({ ...payload, version: 3 + 2 ** 20 });
    await expectRefused(await resign(victim.authority, victim.good, { timestamp }), "version_jump");
  });

  test.each([Number.MAX_SAFE_INTEGER + 1, 1.5, -1, 0])("refuses version %d", async (version) => {
    const files = await third();
    const timestamp = files.timestamp.replace(/"version":\d+}}?$/, (tail) =>
      tail.replace(/\d+/, String(version)),
    );
    expect(timestamp).not.toBe(files.timestamp);
    await expectRefused({ ...files, timestamp }, "metadata_malformed");
  });

  test("refuses an unknown critical feature whole", async () => {
    const targets = customEdit((custom) => ({ ...custom, crit: ["quantum"] }));
    await expectRefused(
      await resign(victim.authority, victim.good, { targets }),
      "unknown_critical",
    );
  });

  describe("a bundle that is signed for real is still refused", () => {
    const rule = '"layer":"l3"';
    test.each<[string, RefusalCode, (bundle: string) => string]>([
      ["with a duplicate key", "bundle_not_canonical", (b) => b.replace(rule, `${rule},${rule}`)],
      ["with white space", "bundle_not_canonical", (b) => `${b}\n`],
      ["cut short", "bundle_not_canonical", (b) => b.slice(0, -1)],
      ["of an unknown format", "bundle_schema", (b) => b.replace('"format":1', '"format":2')],
      [
        "with an unknown kind of source",
        "bundle_schema",
        (b) => b.replace('"kind":"any"', '"kind":"moon"'),
      ],
      [
        "with an unknown verdict",
        "bundle_schema",
        (b) => b.replace('"verdict":"drop"', '"verdict":"perhaps"'),
      ],
      ["with an unknown field", "bundle_schema", (b) => b.replace(rule, `${rule},"note":"x"`)],
      [
        "that names a set it lacks",
        "bundle_schema",
        (b) => b.replace('"set":"g_office"', '"set":"g_nobody"'),
      ],
    ])("%s: %s", async (_, code, edit) => {
      const bundle = edit(victim.good.bundle);
      expect(bundle).not.toBe(victim.good.bundle);
      await expectRefused(await resign(victim.authority, victim.good, { bundle }), code);
    });
  });

  test("refuses duplicate keys in metadata, whichever reader would take which", async () => {
    const files = await third();
    const timestamp = files.timestamp.replace(
      '"_type":"timestamp"',
      '"_type":"timestamp","_type":"timestamp"',
    );
    await expectRefused({ ...files, timestamp }, "metadata_malformed");
  });

  test("refuses JSON nested deeper than anything needs", async () => {
    const deep = `${"[".repeat(20_000)}${"]".repeat(20_000)}`;
    await expectRefused(
      { ...(await third()), timestamp: deep.slice(0, 8_000) + deep.slice(-8_000) },
      "metadata_malformed",
    );
  });

  test.each(["timestamp", "snapshot", "targets"] as const)(
    "refuses a %s larger than it may be",
    async (role) => {
      const files = await third();
      const big = JSON.stringify({ padding: "x".repeat(70_000) });
      await expectRefused(
        { ...files, [role]: big },
        role === "timestamp" ? "metadata_too_large" : "hash_mismatch",
      );
    },
  );

  test("refuses garbage", () =>
    expectRefused(
      { roots: [], timestamp: "\0\xff", snapshot: "{}", targets: "[]", bundle: "" },
      "metadata_malformed",
    ));

  test("refuses everything signed by another deployment's root", async () => {
    const rival = await newAuthority();
    let published = await publish(rival, admitting("203.0.113.1"), undefined);
    published = await publish(rival, admitting("203.0.113.2"), published);
    published = await publish(rival, admitting("203.0.113.3"), published);
    await expectRefused(filesOf(published), "signature_invalid");
  });
});

describe("where the host moves on", () => {
  beforeEach(fresh);
  afterEach(() => victim.close());

  test("accepts the honest next update, so that the refusals here mean something", async () => {
    victim.plane.serve(await third());
    expect(await victim.cycle()).toMatchObject({
      refusal: undefined,
      state: { kind: "steady", applied: { seq: 3 } },
    });
    expect(await namespace.ruleset()).toContain("203.0.113.9");
  });

  test("refuses a revision below the least one allowed, and remembers that floor", async () => {
    const raise = customEdit((custom) => ({ ...custom, min_revision: 2 }));
    const raised = await resign(victim.authority, victim.good, { targets: raise });
    victim.plane.serve(raised);
    expect(await victim.cycle()).toMatchObject({
      refusal: undefined,
      state: { applied: { seq: 3 } },
    });
    const targets = customEdit((custom) => ({ ...custom, min_revision: 0, revision: 1 }));
    victim.plane.serve(await resign(victim.authority, raised, { targets }));
    expect((await victim.cycle()).refusal?.code).toBe("min_revision");
    expect(await namespace.ruleset()).toBe(before);
  });

  test("refuses a ruleset beyond the guard's limits, and admits it when the guard does", async () => {
    writeFileSync(
      victim.guardPath,
      "management: { interfaces: [eth0] }\nlimits: { max_rules: 1 }\n",
    );
    await expectRefused(await third(), "guard_refused");
  });
});
