/** From the operator's first command to a stock TUF client, over real HTTP and in separate processes. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { main } from "#cli/main.ts";
import { BundleCustom } from "#schema/bundle.ts";
import { type Serve, stockClient } from "#test/support/stock-tuf.ts";
import { openStandalone, type Standalone } from "#worker/standalone/index.ts";

const program = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command line in this process; `spawned` shows that a process of its own says the same. */
async function portcullis(...args: readonly string[]): Promise<Run> {
  const said = { stdout: "", stderr: "" };
  const output = {
    colours: false,
    confirm: undefined,
    redraw: undefined,
    line: (text: string) => void (said.stdout += `${text}\n`),
    error: (text: string) => void (said.stderr += `${text}\n`),
  };
  const code = await main(args, {
    env: {},
    output,
    now: () => Date.now(),
    wait: () => Promise.resolve(),
  });
  return { code, ...said };
}

const spawned = (...args: readonly string[]): Promise<Run> =>
  new Promise((resolve) => {
    const env = { PATH: process.env["PATH"] ?? "" };
    execFile(process.execPath, [program, ...args], { env }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === "number" ? error.code : 0, stdout, stderr });
    });
  });

let data: string;
let plane: Standalone;
let url: string;
let connection: readonly string[];
beforeAll(async () => {
  data = mkdtempSync(join(tmpdir(), "portcullis-cli-"));
  const endpoints = [{ kind: "plain", host: "127.0.0.1", port: 0 }] as const;
  plane = await openStandalone({ data: join(data, "plane"), fleet: "f1", endpoints });
  url = plane.urls[0] ?? "";
  connection = ["--url", url, "--token-file", plane.admin.file];
});
afterAll(async () => {
  await plane.close();
  rmSync(data, { recursive: true, force: true });
});

const operator = (method: string, path: string, body: unknown): Promise<Response> =>
  fetch(new URL(path, url), {
    method,
    headers: { authorization: `Bearer ${plane.admin.token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });

/** The host's plain TUF repository over HTTP, as an operator reads it. */
const repositoryOf =
  (host: string): Serve =>
  async (path) => {
    const at = new URL(`/v1/hosts/${host}/repo/${path}`, url);
    const response = await fetch(at, { headers: { authorization: `Bearer ${plane.admin.token}` } });
    return response.ok ? new Uint8Array(await response.arrayBuffer()) : undefined;
  };

describe("portcullis root init", () => {
  test("is called wrongly with 2, fails with 1 and one line, and makes nothing then", async () => {
    const out = join(data, "wrong");
    const init = (...args: readonly string[]) => portcullis("root", "init", "--out", out, ...args);
    expect((await init("--threshold", "3", "--keys", "2", ...connection)).code).toBe(2);
    expect((await init("--threshold", "2", ...connection)).code).toBe(2);
    expect((await init("--threshold", "1", "--keys", "1", "--bogus", ...connection)).code).toBe(2);
    const rest = ["--threshold", "1", "--keys", "1", "--token-file", plane.admin.file];
    expect((await init(...rest, "--url", "http://192.0.2.1")).code).toBe(2);
    const away = await init(...rest, "--url", "http://127.0.0.1:1");
    expect(away).toMatchObject({ code: 1, stdout: "" });
    expect(away.stderr).toMatch(/^portcullis: cannot reach http:\/\/127\.0\.0\.1:1: [^\n]*\n$/);
    const other = await init("--threshold", "1", "--keys", "1", "--fleet", "f2", ...connection);
    expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining("fleet f1") as string });
    expect(readdirSync(data)).not.toContain("wrong");
  });

  test("makes a 2-of-3 root, keeps its keys to their files, and never overwrites", async () => {
    const out = join(data, "root");
    const args = ["root", "init", "--threshold", "2", "--keys", "3", "--out", out, ...connection];
    const made = await portcullis(...args);
    expect(made).toMatchObject({ code: 0, stderr: "" });
    const root = readFileSync(join(out, "root.json"));
    expect(made.stdout).toContain(createHash("sha256").update(root).digest("hex"));
    expect(Buffer.from(await (await fetch(new URL("/v1/root", url))).arrayBuffer())).toEqual(root);
    const keys = readdirSync(out).filter((name) => name.endsWith(".pem"));
    expect(keys).toHaveLength(3);
    for (const key of keys) {
      expect(statSync(join(out, key)).mode & 0o777).toBe(0o600);
      const secret = readFileSync(join(out, key), "utf8").split("\n")[1] ?? "";
      expect(secret).toHaveLength(64);
      expect(made.stdout + root.toString()).not.toContain(secret);
    }
    const again = await spawned(...args);
    expect(again).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("is in force here already") as string,
    });
    const elsewhere = await portcullis(...args.with(7, join(data, "second")));
    expect(elsewhere).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("root rotate") as string,
    });
    expect(existsSync(join(data, "second"))).toBe(false);
    expect(readFileSync(join(out, "root.json"))).toEqual(root);
  });
});

describe("portcullis", () => {
  test("helps, and knows no other commands", async () => {
    expect(await spawned("frobnicate")).toMatchObject({ code: 2, stdout: "" });
    expect(await portcullis("--help")).toMatchObject({ code: 0, stderr: "" });
    expect((await portcullis("root", "init", "--help")).stdout).toContain("--threshold");
    expect((await portcullis("enrol", "--help")).stdout).toContain("--ttl");
    expect(await portcullis("frobnicate")).toMatchObject({ code: 2, stdout: "" });
    expect((await portcullis()).code).toBe(2);
  });

  test("enrol prints the command that pins the root, for a declared host only", async () => {
    expect((await operator("PUT", "/v1/hosts/a", { addresses: [] })).status).toBeLessThan(300);
    const enrolled = await portcullis("enrol", "a", ...connection);
    expect(enrolled).toMatchObject({ code: 0, stderr: "" });
    const root = readFileSync(join(data, "root", "root.json"));
    expect(enrolled.stdout).toContain(
      `--root-sha256 ${createHash("sha256").update(root).digest("hex")}`,
    );
    expect(enrolled.stdout).toMatch(/^echo pce_[A-Za-z0-9_-]{43} \| portcullis-agent join /m);
    const unknown = await portcullis("enrol", "nobody", ...connection);
    expect(unknown).toMatchObject({ code: 1, stdout: "" });
    expect((await portcullis("enrol", ...connection)).code).toBe(2);
  });
});

describe("the stock tuf-js, over HTTP", () => {
  const root = () => readFileSync(join(data, "root", "root.json"), "utf8");

  test("follows a host's repository from one publish to the next", async () => {
    const client = stockClient(root(), repositoryOf("a"));
    try {
      const first = BundleCustom.parse((await client.update()).custom);
      expect(first).toMatchObject({ host: "a", fleet: "f1", seq: 1 });
      const overlay = {
        host: "a",
        interfaces: ["wg0"],
        subnets: ["10.8.0.0/24"],
        policy: "same-subnet",
      };
      expect((await operator("PUT", "/v1/overlays/vpn", overlay)).status).toBeLessThan(300);
      const second = await client.update();
      expect(BundleCustom.parse(second.custom)).toMatchObject({
        seq: 2,
        revision: first.revision + 1,
      });
      expect(Buffer.from(second.bundle).toString()).toContain("wg0");
    } finally {
      client.close();
    }
  });

  test.each([
    "metadata/timestamp.json",
    "metadata/2.snapshot.json",
    "metadata/2.targets.json",
    "targets/",
  ])("refuses a copy with one byte of %s changed", async (changed) => {
    const honest = repositoryOf("a");
    const client = stockClient(root(), async (path) => {
      const bytes = await honest(path);
      if (bytes === undefined || !path.startsWith(changed)) return bytes;
      // Inside the payload: the last digit before the closing braces of the file.
      const at = bytes.findLastIndex((byte) => byte >= 0x30 && byte <= 0x38);
      return bytes.with(at, (bytes[at] ?? 0) + 1);
    });
    try {
      await expect(client.update()).rejects.toThrow(/signed by 0|Expected hash/);
    } finally {
      client.close();
    }
  });

  test("refuses the repository of a control plane with other keys", async () => {
    const endpoints = [{ kind: "plain", host: "127.0.0.1", port: 0 }] as const;
    const other = await openStandalone({ data: join(data, "other"), fleet: "f1", endpoints });
    try {
      const otherUrl = other.urls[0] ?? "";
      const arguments_ = [
        "--url",
        otherUrl,
        "--token-file",
        other.admin.file,
        "--out",
        join(data, "other-root"),
      ];
      await portcullis("root", "init", "--threshold", "1", "--keys", "1", ...arguments_);
      const client = stockClient(
        readFileSync(join(data, "other-root", "root.json"), "utf8"),
        repositoryOf("a"),
      );
      await expect(client.update()).rejects.toThrow(/timestamp was signed by 0/);
      client.close();
    } finally {
      await other.close();
    }
  });
});
