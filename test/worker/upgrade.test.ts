/**
 * What earlier versions left is taken up by this one: a database is migrated and served, a host's state directory is
 * believed and enforced, and what was sent is read. A version's folder is never rewritten: what breaks here breaks a fleet.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { version as current } from "#args/version.ts";
import { readIdentity } from "#agent/disk/identity.ts";
import { readCommittedSlot } from "#agent/disk/slots.ts";
import { openTrust } from "#agent/trust/index.ts";
import { decodeBundle } from "#schema/bundle.ts";
import { Report, Update } from "#schema/wire.ts";
import { believer } from "#test/support/believer.ts";
import { newHost, postJson, tokenOf } from "#test/support/host.ts";
import { openPlane, type Plane } from "#test/support/plane.ts";
import { Facts, places, sha256, writtenAt } from "#test/upgrade/written.ts";

const kept = join(import.meta.dirname, "..", "upgrade");
const versions = readdirSync(kept, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

test("the version that was cut last is kept", () => {
  expect(versions).toContain(current);
});

describe.each(versions)("what version %s left", (version) => {
  const from = places(join(kept, version));
  const facts = Facts.parse(JSON.parse(readFileSync(from.facts, "utf8")));
  const now = writtenAt + 3_600_000;
  let folder: string;
  let at: ReturnType<typeof places>;
  let plane: Plane;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "portcullis-upgrade-"));
    cpSync(join(kept, version), folder, { recursive: true });
    at = places(folder);
    plane = await openPlane({ data: at.plane, now });
  });
  afterAll(async () => {
    await plane.close();
    rmSync(folder, { recursive: true });
  });

  test("its database is served, with revision, host and report as they were", async () => {
    const answer = await plane.operator("GET", `/v1/hosts/${facts.host}`);
    expect(await answer.json()).toMatchObject({
      key: facts.host,
      status: {
        state: "steady",
        published: { seq: facts.seq, revision: facts.revision },
        applied: { seq: facts.seq, revision: facts.revision },
      },
    });
  });

  test("its bundle is read and means what it meant", () => {
    const { bundle } = Update.parse(JSON.parse(readFileSync(from.update, "utf8")));
    const bytes = Buffer.from(bundle ?? "", "base64");
    expect(sha256(bytes)).toBe(facts.bundle_sha256);
    expect(decodeBundle(bytes)).toMatchObject({ ok: true });
  });

  test("its report is read", () => {
    const report = Report.parse(JSON.parse(readFileSync(from.report, "utf8")));
    expect(report.applied).toMatchObject({ seq: facts.seq, bundle_sha256: facts.bundle_sha256 });
  });

  test("its host knows who it is, what it believed and what it committed", () => {
    const { host, root_sha256: rootSha256 } = facts;
    expect(readIdentity(at.host)).toMatchObject({ host, root_sha256: rootSha256 });
    expect(readCommittedSlot(at.host)?.applied).toMatchObject({
      program_sha256: facts.program_sha256,
    });
    const trust = openTrust(at.host, { host, fleet: "f1", rootSha256 }, now);
    expect(trust.ok && trust.value.readHeld()?.sha256).toBe(facts.bundle_sha256);
  });

  test("its host polls this version, takes the next bundle and reports", async () => {
    const identity = readIdentity(at.host);
    if (identity === undefined) throw new Error("expected an identity");
    const token = await tokenOf(plane, newHost(plane, facts.host, identity.key));
    const root = readFileSync(join(at.host, "root.json"), "utf8");
    const asking = believer(at.host, root, facts.host, token, now);
    await plane.commit({
      op: "put",
      kind: "service",
      key: "later",
      body: { ingress: [{ from: "any", port: 8443, proto: "tcp" }], to: [`host:${facts.host}`] },
    });
    const next = await asking.cycle(plane);
    expect(next?.custom.revision).toBe(facts.revision + 1);
    const report = Report.parse(JSON.parse(readFileSync(from.report, "utf8")));
    const body = { ...report, n: report.n + 1, prev: sha256(readFileSync(from.report)) };
    expect((await postJson(plane, "/v1/agent/report", body, token)).status).toBe(200);
  });
});
