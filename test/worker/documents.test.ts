/**
 * Every block of commands in the documents that does not say why it is not run is run here, as it stands, against a
 * control plane of its own: the pages teach what works. On its PATH are `portcullis` and programs that read, so a block that
 * forgot to say that it acts on a host or a machine fails, and does nothing. The address in the pages is this control
 * plane's, and who is asked agrees.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { GuardFile } from "#schema/guard.ts";
import { openStandalone, type Standalone } from "#worker/standalone/index.ts";
import { documentsOf } from "../checks/documents.ts";
import { type Fence, fencesOf, runnerOf } from "../checks/fences.ts";

const root = join(import.meta.dirname, "..", "..");
const textOf = (document: string): string => readFileSync(join(root, document), "utf8");
const read = (document: string): readonly Fence[] => fencesOf(textOf(document));
const runs = (fence: Fence): boolean => fence.language === "sh" && fence.notRun === undefined;

/** What a page takes for granted: the page to be followed before it. */
const firstRows = "docs/how-to/first-rows.md";
const fromNothing = new Set([firstRows, "README.md"]);
const address = "https://control.example:8443";

/** How a block ended, and all that it printed. */
interface Followed {
  readonly code: number | null;
  readonly printed: string;
}

/** Pages that begin with a root whose keys people hold: what it calls them, and the beginning of the first one's id. */
const withSigners = new Set(["docs/how-to/root-rotation.md", "docs/how-to/sealed-mode.md"]);
const signers = ["alice.pem", "carol.pem", "dave.pem"] as const;
const firstKeyId = "4f1c09aa";

/** Hands out the keys that `first-rows` made. @returns the beginning of alice's key id */
function handOut(folder: string): string {
  const keys = join(folder, "root-keys");
  cpSync(join(keys, "root.json"), join(folder, "root.json"));
  const files = readdirSync(keys)
    .filter((name) => name.endsWith(".pem"))
    .toSorted();
  for (const [i, name] of signers.entries()) cpSync(join(keys, files[i] ?? ""), join(folder, name));
  return /-([0-9a-f]{8})/.exec(files[0] ?? "")?.[1] ?? "";
}

interface Reader {
  readonly folder: string;
  /** Runs one block as it stands. */
  follow(text: string): Promise<Followed>;
  leave(): Promise<void>;
}

/** What a block may run besides `portcullis`: programs that read and print. */
const readers = ["cat", "grep", "head", "sort", "tail", "tr", "wc"];

const portcullis = `#!/bin/sh
case "$1 \${2-}" in
  "apply "* | "revert "* | "cosign sign") case " $* " in *" --yes "*) ;; *) set -- "$@" --yes ;; esac ;;
esac
exec ${process.execPath} ${join(root, "cli", "main.ts")} "$@"
`;

/** Somebody with a new control plane, its first token, a catalog, and nothing else. */
async function openReader(): Promise<Reader> {
  const folder = mkdtempSync(join(tmpdir(), "portcullis-documents-"));
  const plane: Standalone = await openStandalone({
    data: join(folder, "plane"),
    fleet: "main",
    endpoints: [{ kind: "plain", host: "127.0.0.1", port: 0 }],
  });
  const home = join(folder, "home");
  mkdirSync(join(home, "bin"), { recursive: true });
  writeFileSync(join(home, "admin.token"), plane.admin.token, { mode: 0o600 });
  writeFileSync(join(home, "bin", "portcullis"), portcullis);
  for (const name of readers) symlinkSync(`/usr/bin/${name}`, join(home, "bin", name));
  chmodSync(join(home, "bin", "portcullis"), 0o755);
  cpSync(join(root, "lab", "examples"), join(home, "catalog"), { recursive: true });
  writeFileSync(
    join(home, "catalog", "web1.yaml"),
    "portcullis: 1\nhosts: { web1: { addresses: [10.20.0.40] } }\n",
  );
  const [url = ""] = plane.urls;
  const env = { PATH: join(home, "bin"), PORTCULLIS_URL: url, HOME: home };
  return {
    folder: home,
    follow: async (text) => {
      const script = `set -euo pipefail\n${text.replaceAll(address, url)}\n`;
      const child = spawn("/bin/bash", ["-c", script], { cwd: home, env, timeout: 300_000 });
      const output: Buffer[] = [];
      child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
      child.stderr.on("data", (chunk: Buffer) => output.push(chunk));
      await once(child, "close");
      return { code: child.exitCode, printed: Buffer.concat(output).toString() };
    },
    leave: async () => {
      await plane.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function succeed(reader: Reader, text: string): Promise<void> {
  const followed = await reader.follow(text);
  expect(followed, followed.printed).toMatchObject({ code: 0 });
}

const pages = documentsOf(root)
  .filter((document) => runnerOf(textOf(document)) === undefined)
  .filter((document) => read(document).some(runs));

describe.each(pages)("the commands of %s", (document) => {
  let reader: Reader;
  let keyId = firstKeyId;
  beforeAll(async () => {
    reader = await openReader();
    if (!fromNothing.has(document))
      for (const { text } of read(firstRows).filter(runs)) await succeed(reader, text);
    if (withSigners.has(document)) keyId = handOut(reader.folder);
  });
  afterAll(() => reader.leave());

  test.each(read(document).filter(runs))(
    "work as they stand, from line $line on",
    async ({ text }) => {
      const followed = await reader.follow(text.replaceAll(firstKeyId, keyId));
      expect(followed, followed.printed).toMatchObject({ code: 0 });
    },
  );
});

describe("what the reference shows", () => {
  let reader: Reader;
  beforeAll(async () => void (reader = await openReader()));
  afterAll(() => reader.leave());

  test("is a catalog that a control plane takes", async () => {
    const [catalog] = read("docs/reference/catalog.md").filter(
      ({ language }) => language === "yaml",
    );
    writeFileSync(join(reader.folder, "one.yaml"), catalog?.text ?? "");
    const followed = await reader.follow("portcullis apply -f one.yaml --token-file admin.token");
    expect(followed, followed.printed).toMatchObject({ code: 0 });
    expect(followed.printed).toContain("+ service photoprism");
  });

  test("is a guard that an agent takes", () => {
    const [guard] = read("docs/reference/guard.md").filter(({ language }) => language === "yaml");
    expect(GuardFile.safeParse(parse(guard?.text ?? "")).error).toBeUndefined();
  });

  test("reaches no program that acts on this machine", async () => {
    for (const name of ["rm", "systemctl", "ssh", "apt", "nft", "portcullis-agent"])
      expect(await reader.follow(`${name} --version`)).toMatchObject({ code: 127 });
  });

  test("is seen to fail where one command of a block fails", async () => {
    const text = "portcullis member show office nobody --token-file admin.token\ntrue";
    expect(await reader.follow(text)).toMatchObject({
      code: 1,
      printed: expect.stringContaining("nobody"),
    });
  });
});
