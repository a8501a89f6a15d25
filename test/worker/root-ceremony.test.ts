/** A root rotation by several people against a real control plane, followed by the stock TUF client. */
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadRootFile } from "#cli/root/key-files.ts";
import { type Serve, type StockClient, stockClient } from "#test/support/stock-tuf.ts";
import { maintain } from "#worker/maintenance/maintain.ts";
import { openStandalone, type Standalone } from "#worker/standalone/index.ts";
import { type Ended, runCli } from "../support/cli.ts";

const folder = mkdtempSync(join(tmpdir(), "portcullis-ceremony-"));
const at = (name: string): string => join(folder, name);
let plane: Standalone;
let url: string;
let env: Record<string, string>;
let keys: readonly { readonly file: string; readonly id: string }[];
let client: StockClient;
const asked: string[] = [];

const cli = (...args: readonly string[]): Promise<Ended> => runCli(args, { env });
const operator = (method: string, path: string, body?: unknown): Promise<Response> =>
  fetch(new URL(path, url), {
    method,
    headers: { authorization: `Bearer ${plane.admin.token}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
const repository: Serve = async (path) => {
  asked.push(path);
  const response = await operator("GET", `/v1/hosts/web1/repo/${path}`);
  return response.ok ? new Uint8Array(await response.arrayBuffer()) : undefined;
};
const inForce = async (): Promise<string> => (await operator("GET", "/v1/root")).text();
/** What the control plane says to a root file that the command line would not send. */
async function refusalOf(file: string): Promise<unknown> {
  const response = await operator("PUT", "/v1/root", { root: readFileSync(file, "utf8") });
  return response.json();
}
async function signed(file: string, by: readonly string[], from: string): Promise<void> {
  for (const key of by)
    expect((await cli("root", "sign", file, "--key", key, "--from", from)).errors).toEqual([]);
}
const tooFew = { errors: [{ code: "root_threshold" }] };

const signersLeft = (): readonly string[] => keys.slice(1).map(({ file }) => file);

async function open(online: "known" | "new" = "known"): Promise<void> {
  const endpoints = [{ kind: "plain", host: "127.0.0.1", port: 0 }] as const;
  plane = await openStandalone({ data: at("plane"), fleet: "f1", endpoints, keys: online });
  url = plane.urls[0] ?? "";
  env = { PORTCULLIS_URL: url, PORTCULLIS_TOKEN: plane.admin.token };
}
beforeAll(async () => {
  await open();
  const made = await cli("root", "init", "--threshold", "2", "--keys", "3", "--out", at("keys"));
  expect(made.errors).toEqual([]);
  const ids = loadRootFile(at("keys/root.json")).signed.roles.root.keyids;
  keys = ids.map((id) => ({ id, file: at(`keys/root-${id.slice(0, 16)}.pem`) }));
  expect((await operator("PUT", "/v1/hosts/web1", { addresses: ["192.0.2.1"] })).ok).toBe(true);
  client = stockClient(readFileSync(at("keys/root.json"), "utf8"), repository);
  await client.update();
});
afterAll(async () => {
  client.close();
  await plane.close();
  rmSync(folder, { recursive: true, force: true });
});

test("the root in force is shown: version, expiry, digest, roles", async () => {
  const { lines, errors } = await cli("root", "show", "--json");
  expect(errors).toEqual([]);
  const roles = {
    root: { keyids: keys.map(({ id }) => id), threshold: 2 },
    timestamp: { threshold: 1 },
  };
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ version: 1, warning: null, roles });
  expect((await cli("root", "show")).lines.join("\n")).toMatch(
    /^root +2 of 3 +[0-9a-f]{64} +signed$/m,
  );
});

test("2 of 3 become another 2 of 3 with one key replaced, and the stock client follows", async () => {
  const [a, b, c] = keys;
  if (a === undefined || b === undefined || c === undefined)
    throw new Error("three keys were made");
  const before = await inForce();
  const fresh = (await cli("root", "key", "--out", at("d.pem"))).lines[0] ?? "";
  const change = ["--add-key", at("d.pem.pub"), "--remove-key", a.id.slice(0, 16)];
  expect((await cli("root", "rotate", "--out", at("2.json"), ...change)).errors).toEqual([]);

  // Each signer has a copy: b signs one, c and the new key another.
  copyFileSync(at("2.json"), at("2-c.json"));
  await signed(at("2.json"), [b.file], at("keys/root.json"));
  await signed(at("2-c.json"), [at("d.pem")], at("keys/root.json"));
  expect((await cli("root", "push", at("2.json"))).errors).toEqual([
    expect.stringMatching(/signed by 1 of the root keys of version 1, 2 are needed/),
    expect.stringMatching(/signed by 1 of the root keys of version 2, 2 are needed/),
  ]);
  expect(await refusalOf(at("2.json"))).toMatchObject(tooFew);
  // Two of its own keys, and one of the keys before.
  expect((await cli("root", "push", at("2.json"), at("2-c.json"))).errors).toEqual([
    expect.stringMatching(/signed by 1 of the root keys of version 1, 2 are needed/),
  ]);
  expect(await inForce()).toBe(before);

  await signed(at("2-c.json"), [c.file], at("keys/root.json"));
  const pushed = await cli("root", "push", at("2.json"), at("2-c.json"));
  expect(pushed).toMatchObject({
    code: 0,
    lines: [expect.stringMatching(/^root version 2 is in force/)],
  });
  expect((await cli("root", "push", at("2.json"), at("2-c.json"))).code).toBe(0);
  expect(JSON.parse(await inForce())).toHaveProperty("signed.roles.root.keyids", [
    b.id,
    c.id,
    fresh,
  ]);
  asked.length = 0;
  await client.update();
  expect(asked.slice(0, 2)).toEqual(["metadata/2.root.json", "metadata/3.root.json"]);
  const newcomer = stockClient(readFileSync(at("keys/root.json"), "utf8"), repository);
  await newcomer.update().finally(() => newcomer.close());
});

test("the removed key cannot sign the next root, alone or beside one that stayed", async () => {
  const [a, b] = keys.map(({ file }) => file);
  if (a === undefined || b === undefined) throw new Error("three keys were made");
  expect((await cli("root", "rotate", "--out", at("3.json"))).errors).toEqual([]);
  const alone = await cli("root", "sign", at("3.json"), "--key", a);
  expect(alone.errors).toEqual([expect.stringContaining("is no root key of version 3")]);
  // By a predecessor where it was one, its signature gets into the file and still counts nothing.
  await signed(at("3.json"), [a], at("keys/root.json"));
  expect((await cli("root", "push", at("3.json"))).errors).toHaveLength(2);
  expect(await refusalOf(at("3.json"))).toMatchObject(tooFew);
  await signed(at("3.json"), [b], at("keys/root.json"));
  expect((await cli("root", "push", at("3.json"))).errors).toHaveLength(2);
  expect(await refusalOf(at("3.json"))).toMatchObject(tooFew);
  await signed(at("3.json"), [at("d.pem")], at("3.json"));
  expect((await cli("root", "push", at("3.json"))).code).toBe(0);
  await client.update();
  expect(asked).toContain("metadata/3.root.json");
  expect(readdirSync(folder).filter((name) => name.endsWith(".new"))).toEqual([]);
});

test("--online takes the control plane's keys as they are, and another plane's root is not put in force", async () => {
  const endpoints = [{ kind: "plain", host: "127.0.0.1", port: 0 }] as const;
  const other = await openStandalone({ data: at("other"), fleet: "f1", endpoints });
  try {
    const there = { PORTCULLIS_URL: other.urls[0] ?? "", PORTCULLIS_TOKEN: other.admin.token };
    const args = ["root", "rotate", "--from", at("3.json"), "--online", "--out", at("4.json")];
    const { lines } = await runCli(args, { env: there });
    expect(
      lines.filter((line) => /^[-+] (?:targets|snapshot|timestamp) key/.test(line)),
    ).toHaveLength(6);
    await signed(at("4.json"), signersLeft(), at("3.json"));
    const pushed = await cli("root", "push", at("4.json"));
    expect(pushed).toMatchObject({ code: 1, errors: [expect.stringContaining("bad_request")] });
    expect(JSON.parse(await inForce())).toHaveProperty("signed.version", 3);
  } finally {
    await other.close();
  }
});

test("after all online keys were changed, --online puts the new ones in force and a host follows at once, and with its next bundle", async () => {
  await plane.close();
  rmSync(at("plane/keys.json"));
  await open("new");
  const shown = await inForce();
  expect((await cli("root", "rotate", "--out", at("5.json"))).errors).toEqual([]);
  await signed(at("5.json"), signersLeft(), at("3.json"));
  expect((await cli("root", "push", at("5.json"))).errors).toEqual([
    expect.stringContaining("is not this control plane's snapshot key"),
  ]);
  expect(await inForce()).toBe(shown);
  expect((await cli("root", "rotate", "--online", "--out", at("6.json"))).errors).toEqual([]);
  await signed(at("6.json"), signersLeft(), at("3.json"));
  expect((await cli("root", "push", at("6.json"))).errors).toEqual([]);
  await maintain(plane.ports);
  await client.update();
  const overlay = {
    host: "web1",
    interfaces: ["wg0"],
    subnets: ["10.8.0.0/24"],
    policy: "same-subnet",
  };
  expect((await operator("PUT", "/v1/overlays/vpn", overlay)).ok).toBe(true);
  expect(Buffer.from((await client.update()).bundle).toString()).toContain("wg0");
});
