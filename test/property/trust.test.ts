/**
 * The trust room over any sequence of updates, honest and not: memory is always what a restart reads back; a refused
 * update changes neither memory nor a byte on disk, but for roots that verified; and whatever came before, an honest
 * update is taken.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { noHint } from "#agent/trust/generations.ts";
import { openTrust, pinRoot, type Trust } from "#agent/trust/index.ts";
import { makeRootKey } from "#cli/root/name.ts";
import type { OnlineRole, Signer } from "#worker/ports/index.ts";
import type { Published } from "#worker/signing/types.ts";
import { memorySigner } from "../support/signing.ts";
import { groupsRuleset } from "../support/rulesets.ts";
import {
  type Authority,
  customEdit,
  type Files,
  filesOf,
  publish,
  resign,
  rootText,
  sha256,
} from "../attack/plane.ts";

const online = ["targets", "snapshot", "timestamp"] as const satisfies readonly OnlineRole[];
/** The last stands for a thief of the snapshot key whom hosts believed until it was rotated. */
const wrongs = [
  "flipped",
  "expired",
  "replayed",
  "far",
  "issued-far",
  "other-bundle",
  "unsigned-root",
  "jump",
  "fast-forward",
  "nothing",
] as const;

/** What comes next: keys that a new root changes, if there is one, and what is wrong with the rest. */
const happening = fc.record({
  rotated: fc.option(fc.subarray([...online, "root" as const], { minLength: 1 }), {
    nil: undefined,
  }),
  wrong: fc.option(fc.constantFrom(...wrongs.filter((wrong) => wrong !== "fast-forward")), {
    nil: undefined,
  }),
});
interface Happening {
  readonly rotated: readonly (OnlineRole | "root")[] | undefined;
  readonly wrong: (typeof wrongs)[number] | undefined;
}

const eighty = Date.now() + 80 * 365 * 86_400_000;
const date = (at: number): string => `${new Date(at).toISOString().slice(0, 19)}Z`;

/** Nothing here is about power loss, and syncing a disk some hundred times takes a minute. */
const memory = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
const nothing: Files = { roots: [], timestamp: "", snapshot: "", targets: "", bundle: "" };

/** A control plane, its thief, and one host. */
class World {
  readonly directory = mkdtempSync(join(memory, "portcullis-trust-"));
  readonly #files: Files[] = [];
  readonly #roots: string[] = [];
  #authority: Authority;
  #last: Published | undefined;
  #count = 0;
  trust: Trust;

  private constructor(authority: Authority) {
    this.#authority = authority;
    pinRoot(this.directory, Buffer.from(authority.root));
    this.#roots.push(authority.root);
    this.trust = this.reopened();
  }

  static async make(): Promise<World> {
    const signer = memorySigner();
    const rootKeys = [makeRootKey(), makeRootKey(), makeRootKey()];
    return new World({
      signer,
      rootKeys,
      root: await rootText(signer, rootKeys, rootKeys, 1),
      version: 1,
    });
  }

  /** What a new process would find. */
  reopened(): Trust {
    const identity = { host: "gw", fleet: "acme", rootSha256: sha256(this.#roots[0] ?? "") };
    const opened = openTrust(this.directory, identity, Date.now());
    if (!opened.ok) throw new Error(opened.refusal.message);
    return opened.value;
  }

  /** @returns whether it was taken */
  async happens({ rotated, wrong }: Happening): Promise<boolean> {
    if (rotated !== undefined) await this.#rotate(rotated);
    const files = wrong === undefined ? await this.#honest() : await this.#wrong(wrong);
    const known = this.trust.readSeen().root;
    const roots = [
      ...this.#roots.slice(known),
      ...(wrong === "unsigned-root" ? [this.#unsignedRoot()] : []),
    ];
    const bytes = (text: string): Buffer => Buffer.from(text);
    const update = {
      roots: roots.map(bytes),
      timestamp: bytes(files.timestamp),
      snapshot: bytes(files.snapshot),
      targets: bytes(files.targets),
      bundle: bytes(files.bundle),
    };
    const accepted = await this.trust.accept(
      update,
      { ...noHint, accepted_at: Date.now() },
      Date.now(),
    );
    if (wrong === undefined && !accepted.ok)
      throw new Error(`${accepted.refusal.code}: ${accepted.refusal.message}`);
    return accepted.ok;
  }

  async #rotate(roles: readonly (OnlineRole | "root")[]): Promise<void> {
    const before = this.#authority;
    const fresh = memorySigner();
    const of = (role: OnlineRole): Signer => (roles.includes(role) ? fresh : before.signer);
    const signer: Signer = {
      publicKey: (role) => of(role).publicKey(role),
      sign: (role, bytes) => of(role).sign(role, bytes),
      tokenSecret: () => before.signer.tokenSecret(),
    };
    const rootKeys = roles.includes("root")
      ? [makeRootKey(), makeRootKey(), makeRootKey()]
      : before.rootKeys;
    const version = before.version + 1;
    const signers = [...new Set([...before.rootKeys, ...rootKeys])];
    const root = await rootText(signer, rootKeys, signers, version);
    this.#roots.push(root);
    this.#authority = { signer, rootKeys, root, version };
  }

  /** Above what the host has seen, as a control plane goes on. */
  async #honest(): Promise<Files> {
    const { timestamp, targets } = this.trust.readSeen();
    const ruleset = groupsRuleset({ dev: [`10.8.0.${(this.#count += 1) % 250}`] });
    this.#last = await publish(this.#authority, ruleset, this.#last, {
      floor: { timestamp, targets },
    });
    const files = filesOf(this.#last);
    this.#files.push(files);
    return files;
  }

  async #wrong(wrong: (typeof wrongs)[number]): Promise<Files> {
    const files = this.#files.at(-1) ?? (await this.#unserved());
    const far = (payload: object) => ({ ...payload, expires: date(eighty) });
    const edits = (edit: Parameters<typeof resign>[2]): Promise<Files> =>
      resign(this.#authority, files, edit);
    switch (wrong) {
      case "flipped":
        return { ...(await edits({})), snapshot: files.snapshot.replace(/"sig":"./, '"sig":"0') };
      case "expired":
        return edits({
          timestamp: (payload) => ({ ...payload, expires: date(Date.now() - 3_600_000) }),
        });
      case "replayed":
        return this.#files.length > 1 ? (this.#files[0] ?? files) : edits({ bundle: "{}" });
      case "far":
        return edits({ timestamp: far, snapshot: far, targets: far });
      case "issued-far":
        return edits({ targets: customEdit((custom) => ({ ...custom, issued: date(eighty) })) });
      case "other-bundle":
        return { ...(await edits({})), bundle: files.bundle.replace("accept", "drop") };
      case "jump":
        // A host that joins takes any version: only then is it no jump.
        if (this.#files.length === 0) return nothing;
        return edits({ timestamp: (payload) => ({ ...payload, version: 2 ** 52 }) });
      case "fast-forward":
        return edits({ snapshot: (payload) => ({ ...payload, version: 1_000 }) });
      case "unsigned-root":
        return edits({});
      case "nothing":
        return nothing;
    }
  }

  /** Signed for the host and never sent. */
  async #unserved(): Promise<Files> {
    return filesOf(
      await publish(this.#authority, groupsRuleset({ dev: ["10.8.0.251"] }), undefined),
    );
  }

  #unsignedRoot(): string {
    const { root, version } = this.#authority;
    return root.replace(`"version":${version}`, `"version":${version + 1}`);
  }

  /** Everything in the state directory, by path. */
  disk(): ReadonlyMap<string, string> {
    const paths = readdirSync(this.directory, { recursive: true, withFileTypes: true });
    return new Map(
      paths
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        .map((path) => [path, sha256(readFileSync(path))]),
    );
  }

  close(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** All that a trust room says of itself. */
const told = (trust: Trust) => ({
  seen: trust.readSeen(),
  hint: trust.hint(),
  keys: trust.keys(),
  held: trust.readHeld(),
  expiries: trust.listExpiries(),
});

test("memory is what a restart reads back, a refused update moves nothing but sound roots, an honest one is taken", async () => {
  let refusedWithRoot = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { minLength: 1, maxLength: 6 }), async (happenings) => {
      const world = await World.make();
      try {
        for (const one of [...happenings, { rotated: undefined, wrong: undefined }]) {
          const before = { told: told(world.trust), disk: world.disk() };
          const taken = await world.happens(one);
          const moved = world.trust.readSeen().root - before.told.seen.root;
          if (!taken && moved === 0) {
            expect(told(world.trust)).toEqual(before.told);
            expect(world.disk()).toEqual(before.disk);
          }
          if (!taken && moved > 0) {
            refusedWithRoot += 1;
            const { timestamp, targets } = before.told.seen;
            expect(world.trust.readSeen()).toMatchObject({ timestamp, targets });
          }
          expect(told(world.reopened())).toEqual(told(world.trust));
        }
      } finally {
        world.close();
      }
    }),
    { numRuns: 60 },
  );
  expect(refusedWithRoot).toBeGreaterThan(10);
});

test("a root that rotates the snapshot key alone, first seen with metadata that is refused, costs no later update", async () => {
  const world = await World.make();
  try {
    expect(await world.happens({ rotated: undefined, wrong: undefined })).toBe(true);
    expect(await world.happens({ rotated: undefined, wrong: "fast-forward" })).toBe(true);
    expect(await world.happens({ rotated: ["snapshot"], wrong: "flipped" })).toBe(false);
    expect(world.trust.readSeen().root).toBe(2);
    for (const _ of [1, 2])
      expect(await world.happens({ rotated: undefined, wrong: undefined })).toBe(true);
  } finally {
    world.close();
  }
});
