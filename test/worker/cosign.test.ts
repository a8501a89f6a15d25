/** Targets that operators sign: what waits, who may sign it, when it is published, and what happens without anybody. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { makeRootKey, type RootKey, signatureOver } from "#cli/root/name.ts";
import { CosignResponse, PendingDetail } from "#schema/cosign.ts";
import { OnlineKeySet } from "#schema/api/trust.ts";
import { enrolled, poll } from "#test/support/host.ts";
import {
  type Ceremony,
  host,
  installRoot,
  openPlane,
  overlay,
  type Plane,
} from "#test/support/plane.ts";
import { maintain } from "#worker/maintenance/maintain.ts";
import { readRepository } from "#worker/served/repository-rows.ts";
import { verifyAudit } from "#worker/audit/verify.ts";

const day = 86_400_000;
const [a, b, c, stranger] = [makeRootKey(), makeRootKey(), makeRootKey(), makeRootKey()];
let plane: Plane;
let ceremony: Ceremony;
let token: string;
beforeEach(async () => {
  plane = await openPlane();
  await plane.commit(host("gw"));
  const first = await installRoot(plane);
  token = (await enrolled(plane, "gw")).token;
  ceremony = await installRoot(plane, 2, first, { keys: [a.key, b.key, c.key], threshold: 2 });
});
afterEach(() => plane.close());

const show = async (): Promise<PendingDetail> =>
  PendingDetail.parse(await (await plane.operator("GET", "/v1/cosign/gw")).json());
const send = (seq: number, text: string, ...keys: readonly RootKey[]): Promise<Response> =>
  plane.operator("PUT", "/v1/cosign/gw", {
    seq,
    signatures: keys.map((key) => signatureOver(text, key)),
  });
async function sign(...keys: readonly RootKey[]): Promise<CosignResponse> {
  const { seq, targets } = await show();
  return CosignResponse.parse(await (await send(seq, targets, ...keys)).json());
}
const waits = async (): Promise<boolean> =>
  (await plane.operator("GET", "/v1/cosign/gw")).status === 200;
const stored = () => readRepository(plane.ports.sql, "gw");

test("a commit publishes nothing before a threshold of targets keys signed it, then at once, and the audit chain holds", async () => {
  const before = await stored();
  await plane.commit(overlay("vpn", "gw"));
  expect(await stored()).toEqual(before);
  expect(await sign(a)).toMatchObject({
    seq: 2,
    signed_by: [a.keyid],
    threshold: 2,
    published: false,
  });
  expect(await sign(a)).toMatchObject({ signed_by: [a.keyid], published: false });
  expect(await stored()).toEqual(before);
  const { targets } = await show();
  expect(await sign(c)).toMatchObject({ published: true });
  expect(await waits()).toBe(false);
  const after = await stored();
  expect(after).toMatchObject({ seq: 2, snapshot_version: 2, timestamp_version: 2 });
  expect(JSON.stringify((JSON.parse(after?.targets ?? "") as { signed: object }).signed)).toBe(
    targets,
  );
  expect((await poll(plane, token)).headers.get("etag")).toMatch(/^"t2-/);
  expect(await verifyAudit(plane.ports.sql)).toMatchObject({ ok: true });
});

test("what waits is superseded by the next commit under the next seq, and signatures of the one before count nothing", async () => {
  await plane.commit(overlay("vpn", "gw"));
  const first = await show();
  await sign(a);
  await plane.commit(overlay("vpn", "gw", "10.9.0.0/24"));
  const second = await show();
  expect([first.seq, second.seq, second.signed_by]).toEqual([2, 3, []]);
  expect((await send(first.seq, first.targets, a, b)).status).toBe(409);
  expect((await send(second.seq, first.targets, a, b)).status).toBe(400);
  // Back to what is published: that is signed once more, so that no seq is ever two contents.
  await plane.commit({ op: "delete", kind: "overlay", key: "vpn" });
  expect(await show()).toMatchObject({ seq: 4, bundle_sha256: (await stored())?.bundle_sha256 });
});

test.each<[string, (text: string) => Promise<Response>, number]>([
  ["a key that the root does not name for targets", (text) => send(2, text, a, stranger), 400],
  ["a root key", (text) => send(2, text, a, ceremony.keys[0] ?? stranger), 400],
  ["other bytes", (text) => send(2, `${text} `, a, b), 400],
  ["another seq", (text) => send(3, text, a, b), 409],
])("a signature by or for %s is refused, and nothing is published", async (_, sent, status) => {
  await plane.commit(overlay("vpn", "gw"));
  const before = await stored();
  expect((await sent((await show()).targets)).status).toBe(status);
  expect(await stored()).toEqual(before);
  expect((await show()).signed_by).toEqual([]);
});

test("leases go on over what operators signed; from half of its 90 days on it waits to be signed again, and is never signed by the control plane", async () => {
  await maintain(plane.ports);
  expect(await sign(a, b)).toMatchObject({ seq: 2, published: true });
  const { targets } = (await stored()) ?? {};
  plane.advance(44 * day);
  expect((await poll(plane, (await enrolled(plane, "gw")).token, { renew: "1" })).status).toBe(200);
  await maintain(plane.ports);
  const renewed = await stored();
  expect(renewed).toMatchObject({ seq: 2, targets, lease_issued_at: plane.ports.clock.now() });
  expect(await waits()).toBe(false);
  plane.advance(2 * day);
  await maintain(plane.ports);
  expect(await show()).toMatchObject({ seq: 3, bundle_sha256: renewed?.bundle_sha256 });
  const asked = await show();
  await maintain(plane.ports);
  expect(await show()).toEqual(asked);
  expect(await stored()).toMatchObject({ seq: 2, targets });
});

describe("a root edit switches", () => {
  test("to the control plane and one operator: its own signature is there, and never enough", async () => {
    const { keys } = OnlineKeySet.parse(
      await (await plane.operator("GET", "/v1/root/keys")).json(),
    );
    await installRoot(plane, 3, ceremony, { keys: [keys.targets.key, a.key, b.key], threshold: 2 });
    await plane.commit(overlay("vpn", "gw"));
    expect(await show()).toMatchObject({ seq: 2, signed_by: [keys.targets.keyid] });
    expect(await stored()).toMatchObject({ seq: 1 });
    expect(await sign(b)).toMatchObject({ published: true });
  });

  test("back to the control plane alone: it publishes what waits, and the next commit above that", async () => {
    await plane.commit(overlay("vpn", "gw"));
    const { bundle_sha256 } = await show();
    await installRoot(plane, 3, ceremony);
    await maintain(plane.ports);
    expect(await waits()).toBe(false);
    expect(await stored()).toMatchObject({ bundle_sha256 });
    const seq = (await stored())?.seq ?? 0;
    await plane.commit(overlay("vpn", "gw", "10.9.0.0/24"));
    expect(await stored()).toMatchObject({ seq: seq + 1 });
    expect(await waits()).toBe(false);
  });

  test("back before maintenance ran: a commit takes the place of what waited, above its seq", async () => {
    await plane.commit(overlay("vpn", "gw"));
    await plane.commit(overlay("vpn", "gw", "10.9.0.0/24"));
    await installRoot(plane, 3, ceremony);
    await plane.commit(overlay("vpn", "gw", "10.7.0.0/24"));
    expect(await stored()).toMatchObject({ seq: 4 });
    expect(await waits()).toBe(false);
  });
});

test.each([
  ["forgets what waits", "DELETE FROM pending"],
  ["gives its seq another content", "UPDATE pending SET targets = '{}'"],
  ["takes a seq back", "UPDATE pending SET seq = 1"],
])("nobody %s", async (_, sql) => {
  await plane.commit(overlay("vpn", "gw"));
  await expect(plane.ports.sql.prepare(sql).run()).rejects.toThrow(/stale_repository/);
});
