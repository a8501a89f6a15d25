/**
 * The client contract of TUF's conformance suite (`init`, `refresh`, `download`) over the agent's trust room: what a
 * plain TUF repository serves is put together to one update, and the room alone decides. The room believes nothing
 * but Portcullis's own shapes, so with `--compatible` the same contract runs the engine of its second opinion, stock
 * tuf-js, for repositories of any shape. Not part of what is shipped.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Updater } from "tuf-js";
import * as z from "zod";
import { Refused } from "#agent/machine/refusal.ts";
import { openTrust, pinRoot, type Trust, type UpdateBytes } from "#agent/trust/index.ts";
import { sha256 } from "#agent/disk/digest.ts";
import { bundlePath, sizeLimits } from "#schema/bundle.ts";
import { roles } from "#schema/tuf.ts";

/** Whose repository it is, as the enrolment of a host says. */
export const owner = { host: "conformance", fleet: "conformance" } as const;

const strings = (...names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [name, { type: "string" as const }]));
const Options = z.object({
  "metadata-dir": z.string(),
  "metadata-url": z.string().optional(),
  "target-base-url": z.string().optional(),
  "target-dir": z.string().optional(),
  "target-name": z.array(z.string()).default([]),
  compatible: z.boolean().default(false),
});
type Options = z.infer<typeof Options>;

/** One command of the contract. @param say told why, when the answer is 1 */
export async function runClient(
  argv: readonly string[],
  say: (line: string) => void,
): Promise<0 | 1> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      ...strings("metadata-dir", "metadata-url", "target-base-url", "target-dir"),
      "target-name": { type: "string", multiple: true },
      compatible: { type: "boolean" },
    },
  });
  try {
    const options = Options.parse(values);
    const client = options.compatible ? stock : room;
    const [command, root = ""] = positionals;
    if (command === "init") client.init(options, readFileSync(root));
    else if (command === "refresh") await client.refresh(options);
    else if (command === "download") await client.download(options);
    else throw new RangeError("expected init, refresh or download");
    return 0;
  } catch (error) {
    say(error instanceof Refused ? `${error.code}: ${error.message}` : String(error));
    return 1;
  }
}

interface Client {
  init(options: Options, root: Buffer): void;
  refresh(options: Options): Promise<void>;
  download(options: Options): Promise<void>;
}

const room: Client = {
  init(options, root) {
    mkdirSync(stateOf(options), { recursive: true });
    pinRoot(stateOf(options), root);
    show(options);
  },
  async refresh(options) {
    await refreshed(options);
  },
  async download(options) {
    const digest = await refreshed(options);
    for (const name of options["target-name"]) {
      if (name !== bundlePath) throw new Error(`no target ${name}`);
      const bytes = readFileSync(join(stateOf(options), "bundles", `${digest}.json`));
      writeFileSync(join(options["target-dir"] ?? "", name), bytes);
    }
  },
};

const stateOf = (options: Options): string => join(options["metadata-dir"], ".room");

/** @returns SHA-256 of the bundle that is believed. @throws Refused */
async function refreshed(options: Options): Promise<string> {
  const directory = stateOf(options);
  const rootSha256 = sha256(readFileSync(join(directory, "root.json")));
  const opened = openTrust(directory, { ...owner, rootSha256 }, Date.now());
  if (!opened.ok) throw new Refused(opened.refusal.code, opened.refusal.message);
  const update = await assemble(opened.value, options);
  const hint = { etag: null, generation: null, accepted_at: null };
  const accepted = await opened.value.accept(update, hint, Date.now());
  show(options);
  if (!accepted.ok) throw new Refused(accepted.refusal.code, accepted.refusal.message);
  return accepted.value.sha256;
}

/** Where the contract looks for what a client believes. */
function show(options: Options): void {
  for (const role of roles) {
    const [from, to] = [join(stateOf(options), "trust", "current"), options["metadata-dir"]].map(
      (folder) => join(folder, `${role}.json`),
    );
    if (from === undefined || to === undefined) continue;
    if (existsSync(from)) copyFileSync(from, to);
    else rmSync(to, { force: true });
  }
}

const nothing = Buffer.alloc(0);
const Pins = z.object({
  signed: z.object({ meta: z.record(z.string(), z.object({ version: z.int() })) }),
});
const Listed = z.object({
  signed: z.object({
    targets: z.record(z.string(), z.object({ hashes: z.record(z.string(), z.string()) })),
  }),
});

/** One update, as the control plane would have sent it. What it names unverified only says what to fetch. */
async function assemble(trust: Trust, options: Options): Promise<UpdateBytes> {
  const base = `${withoutSlash(options["metadata-url"] ?? "")}/`;
  const targetBase = withoutSlash(options["target-base-url"] ?? new URL("../targets", base).href);
  const roots: Buffer[] = [];
  for (let version = trust.readSeen().root + 1; roots.length <= sizeLimits.newRoots; version++) {
    const next = await fetched(`${base}${version}.root.json`);
    if (next === undefined) break;
    roots.push(next);
  }
  const timestamp = await fetched(`${base}timestamp.json`);
  const snapshot = await pinnedFile(base, timestamp, "snapshot");
  const targets = await pinnedFile(base, snapshot, "targets");
  const listed = Listed.safeParse(parsed(targets)).data?.signed.targets[bundlePath]?.hashes[
    "sha256"
  ];
  const known = listed === undefined || listed === trust.readHeld()?.sha256;
  const bundle = known ? undefined : await fetched(`${targetBase}/${listed}.${bundlePath}`);
  return {
    roots,
    timestamp: timestamp ?? nothing,
    snapshot: snapshot ?? nothing,
    targets: targets ?? nothing,
    bundle,
  };
}

/** The suite's addresses end in a slash, and a server need not take two for one. */
const withoutSlash = (url: string): string => url.replace(/\/+$/, "");

async function pinnedFile(
  base: string,
  by: Buffer | undefined,
  role: string,
): Promise<Buffer | undefined> {
  const version = Pins.safeParse(parsed(by)).data?.signed.meta[`${role}.json`]?.version;
  return version === undefined ? undefined : fetched(`${base}${version}.${role}.json`);
}

function parsed(bytes: Buffer | undefined): unknown {
  try {
    return JSON.parse(bytes?.toString("utf8") ?? "null");
  } catch {
    return undefined;
  }
}

/** @returns undefined where there is no such file */
async function fetched(url: string): Promise<Buffer | undefined> {
  const response = await fetch(url, { signal: AbortSignal.timeout(20_000) });
  return response.ok ? Buffer.from(await response.arrayBuffer()) : undefined;
}

const stock: Client = {
  init(options, root) {
    mkdirSync(options["metadata-dir"], { recursive: true });
    writeFileSync(join(options["metadata-dir"], "root.json"), root);
  },
  refresh: (options) => updater(options).refresh(),
  async download(options) {
    const client = updater(options);
    await client.refresh();
    for (const name of options["target-name"]) {
      const info = await client.getTargetInfo(name);
      if (info === undefined) throw new Error(`no target ${name}`);
      const cached = await client.findCachedTarget(info);
      if (cached === undefined) await client.downloadTarget(info);
    }
  },
};

const updater = (options: Options): Updater =>
  new Updater({
    metadataDir: options["metadata-dir"],
    metadataBaseUrl: options["metadata-url"] ?? "",
    ...(options["target-dir"] === undefined ? {} : { targetDir: options["target-dir"] }),
    ...(options["target-base-url"] === undefined
      ? {}
      : { targetBaseUrl: options["target-base-url"] }),
  });
