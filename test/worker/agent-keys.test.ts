/** Online keys that changed: what is stored is signed again once a root names them, for hosts that ask and for others. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import * as z from "zod";
import { Root } from "#schema/tuf.ts";
import { headers, Update } from "#schema/wire.ts";
import { enrolled, poll } from "#test/support/host.ts";
import { type Ceremony, host, installRoot, openPlane, type Plane } from "#test/support/plane.ts";
import { maintain } from "#worker/maintenance/maintain.ts";
import type { Repository } from "#worker/signing/types.ts";
import { readRepository } from "#worker/served/repository-rows.ts";

let plane: Plane;
let ceremony: Ceremony;
let token: string;
let root: Root;
beforeEach(async () => {
  plane = await openPlane();
  await plane.commit(host("a"), host("b"));
  ceremony = await installRoot(plane);
  token = (await enrolled(plane, "a")).token;
});
afterEach(() => plane.close());

async function ceremonyAgain(): Promise<void> {
  const { text } = await installRoot(plane, 2, ceremony);
  root = z.object({ signed: Root }).parse(JSON.parse(text)).signed;
}
const stored = async (name: string): Promise<Repository> => {
  const row = await readRepository(plane.ports.sql, name);
  if (row === undefined) throw new Error(`nothing is published for ${name}`);
  return row;
};
const Signatures = z.object({ signatures: z.array(z.object({ keyid: z.string() })) });
const signerOf = (text: string) =>
  Signatures.parse(JSON.parse(text)).signatures.map(({ keyid }) => keyid);
const signers = ({ targets, snapshot, timestamp }: Repository) =>
  [targets, snapshot, timestamp].map(signerOf);
const named = () =>
  [root.roles.targets, root.roles.snapshot, root.roles.timestamp].map((role) => role.keyids);
const held = (response: Response) => ({
  "if-none-match": response.headers.get("etag") ?? "",
  generation: response.headers.get(headers.generation) ?? "",
});

test("a poll after the root gives every file anew, the same bundle; then polls touch no storage", async () => {
  const before = await stored("a");
  const known = held(await poll(plane, token));
  plane.turnKeys();
  await ceremonyAgain();
  const response = await poll(plane, token, { ...known, bundle: before.bundle_sha256 });
  const update = Update.parse(await response.json());
  expect(update).toMatchObject({ roots: [expect.any(String)] });
  expect(update.bundle).toBeUndefined();
  const after = await stored("a");
  expect(signers(after)).toEqual(named());
  const { bundle_sha256 } = before;
  expect(after).toMatchObject({ seq: 2, snapshot_version: 2, timestamp_version: 2, bundle_sha256 });
  const now = { ...held(response), seen: "root=2;timestamp=2;targets=2" };
  const queries = plane.queries();
  expect((await poll(plane, token, now)).status).toBe(304);
  expect(plane.queries()).toBe(queries);
});

test("maintenance signs for hosts that do not ask, once", async () => {
  plane.turnKeys();
  plane.advance(1_000);
  await ceremonyAgain();
  plane.advance(1_000);
  await maintain(plane.ports);
  const after = await stored("b");
  expect(signers(after)).toEqual(named());
  await maintain(plane.ports);
  expect(await stored("b")).toEqual(after);
});

test("before a root names them they sign no lease, and each minute says so: what hosts take stays as it is", async () => {
  const before = await stored("a");
  plane.turnKeys();
  plane.advance(23 * 3_600_000);
  expect((await poll(plane, token, { renew: "1" })).status).toBe(200);
  const told = vi.spyOn(console, "error").mockImplementation(() => undefined);
  await expect(maintain(plane.ports)).rejects.toThrow("maintenance failed in part: keys");
  expect(told.mock.calls).toEqual([
    [expect.stringContaining("root 1 names other keys for targets and snapshot")],
  ]);
  told.mockRestore();
  expect(await stored("a")).toEqual(before);
});
