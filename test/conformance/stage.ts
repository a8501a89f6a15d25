/**
 * A repository and a client of it, through the client contract of TUF's conformance suite: the trust room, or stock
 * tuf-js. Everything is private to one test.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { roles } from "#schema/tuf.ts";
import { owner, runClient } from "./client.ts";
import { openRepository, type Repository } from "./repository.ts";

export const modes = ["room", "stock"] as const;
export type Mode = (typeof modes)[number];

export interface Stage {
  readonly repository: Repository;
  /** Why commands ended with 1. */
  readonly said: readonly string[];
  path(name: string): string;
  /** What every command of the contract begins with. */
  where(): readonly string[];
  init(mode: Mode): Promise<0 | 1>;
  refresh(mode: Mode): Promise<0 | 1>;
  download(mode: Mode, name?: string): Promise<0 | 1>;
  /** Versions by role that the client believes; undefined where it has none. */
  believed(): Readonly<Record<string, number | undefined>>;
  close(): Promise<void>;
}

export async function openStage(): Promise<Stage> {
  const repository = await openRepository(owner);
  const directory = mkdtempSync(join(tmpdir(), "portcullis-conformance-"));
  const said: string[] = [];
  const path = (name: string): string => join(directory, name);
  const where = () => [
    "--metadata-dir",
    path("metadata"),
    "--metadata-url",
    `${repository.url}/metadata/`,
  ];
  const run = (mode: Mode, ...words: readonly string[]): Promise<0 | 1> => {
    const compatible = mode === "stock" ? ["--compatible"] : [];
    return runClient([...compatible, ...where(), ...words], (line) => void said.push(line));
  };
  return {
    repository,
    said,
    path,
    where,
    init(mode) {
      writeFileSync(path("initial.json"), repository.files.get("metadata/1.root.json") ?? "");
      return run(mode, "init", path("initial.json"));
    },
    refresh: (mode) => run(mode, "refresh"),
    download(mode, name = "bundle.json") {
      const from = ["--target-base-url", `${repository.url}/targets/`, "--target-dir", directory];
      return run(mode, "--target-name", name, ...from, "download");
    },
    believed: () =>
      Object.fromEntries(roles.map((role) => [role, versionIn(path(`metadata/${role}.json`))])),
    async close() {
      await repository.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function versionIn(file: string): number | undefined {
  try {
    return (JSON.parse(readFileSync(file, "utf8")) as { signed: { version: number } }).signed
      .version;
  } catch {
    return undefined; // not believed
  }
}

/** Changes the text of a served file. */
export function alter({ files }: Repository, path: string, edit: (text: string) => string): void {
  files.set(path, Buffer.from(edit(Buffer.from(files.get(path) ?? "").toString("utf8"))));
}

export const flipSignature = (text: string): string =>
  text.replace(/"sig":"(.)/, (_, digit: string) => `"sig":"${digit === "0" ? "1" : "0"}`);
