import { existsSync, mkdirSync, symlinkSync } from "node:fs";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { delimiter, join } from "node:path";
import { expect, test } from "vitest";
import { run } from "#lab/run/process.ts";
import { testData, startLab } from "./lab-process.ts";

/** A PATH on which everything the lab needs is there, but for nft. */
function pathWithoutNft(data: string): string {
  const folder = join(data, "bin");
  mkdirSync(folder);
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  for (const program of ["ip", "ping", "sysctl", "openssl"]) {
    const found = folders.map((path) => join(path, program)).find((path) => existsSync(path));
    if (found !== undefined) symlinkSync(found, join(folder, program));
  }
  return folder;
}

test("without nft the start says so, and the control plane still answers", async () => {
  const data = testData();
  const lab = startLab("main", ["--port", "0", "--data", data], {
    ...process.env,
    PATH: pathWithoutNft(data),
  });
  const [, url] = await lab.says(/API +(http:\/\/127\.0\.0\.1:\d+)/);
  expect(lab.stdout()).toMatch(/nft is not on PATH/);
  const health = await fetch(`${url}/healthz`);
  expect(health.status).toBe(200);
  const root = await fetch(`${url}/v1/root`);
  expect(root.status).toBe(200);
  lab.child.kill("SIGTERM");
  expect(await lab.ended).toBe(0);
});

test("without nft --once proves nothing and does not exit 0", async () => {
  const data = testData();
  const env = { ...process.env, PATH: pathWithoutNft(data) };
  const lab = startLab("main", ["--once", "--port", "0", "--data", data], env);
  expect(await lab.ended).toBe(1);
  expect(lab.stdout()).toMatch(/Nothing was proven/);
});

test("a taken port is one clear line that says how to choose another", async () => {
  const data = testData();
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  const lab = startLab("main", ["--once", "--port", `${port}`, "--data", data]);
  expect(await lab.ended).toBe(1);
  expect(lab.stderr()).toBe(
    `lab: 127.0.0.1:${port} is taken; choose another port: npm start -- --port N\n`,
  );
  other.close();
});

test("a reader that leaves, as head does, ends the lab, and nothing of it stays", async () => {
  const data = testData();
  const lab = startLab("main", ["--once", "--port", "0", "--data", data]);
  await lab.says(/namespaces pc[0-9a-f]{8}/);
  const [prefix = ""] = /pc[0-9a-f]{8}/.exec(lab.stdout()) ?? [];
  lab.child.stdout?.destroy();
  expect(await lab.ended).not.toBe(0);
  const { stdout: namespaces } = await run(["ip", "netns", "list"]);
  expect(namespaces).not.toContain(prefix);
  expect(existsSync(join(data, "lab", "ledger.json"))).toBe(false);
});
