/**
 * What TUF's client workflow refuses, case by case as the conformance suite has it, and what the trust room refuses
 * beyond that. Each case is played to the room, by refusal code, and to stock tuf-js: where the two differ, the room is
 * the stricter one, and the last table says so.
 */
import { generateKeyPairSync, sign } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { keyIdOf } from "#core/tuf/read.ts";
import { formatCanonical } from "#schema/canonical.ts";
import { newKey, type Repository, type RoleKeys } from "../conformance/repository.ts";
import { alter, flipSignature, modes, openStage, type Stage } from "../conformance/stage.ts";
import { sha256 } from "./plane.ts";

let stage: Stage;
beforeEach(async () => void (stage = await openStage()));
afterEach(() => stage.close());

const all = ["targets", "snapshot", "timestamp"] as const;

const inDays = (days: number): string =>
  `${new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 19)}Z`;
const daysAgo = (): string => inDays(-5);
const expired = (role: (typeof all)[number]) => (r: Repository) => {
  r.roles[role].expires = daysAgo();
  r.publish(...all);
};
const missing = (path: string) => (r: Repository) => {
  r.publish(...all);
  r.files.delete(path);
};
const forged = (path: string) => (r: Repository) => {
  r.publishRoot();
  r.publish(...all);
  alter(r, path, flipSignature);
};
/** Serves another file than its pin names. */
const swapped = (role: (typeof all)[number]) => (r: Repository) => {
  r.publish(...all);
  const pinnedPath = `metadata/4.${role}.json`;
  r.roles[role].edit = (payload) => ({ ...payload, expires: inDays(3) });
  const rest = new Map(r.files);
  r.publish();
  const other = r.files.get(pinnedPath);
  for (const [path, bytes] of rest) r.files.set(path, bytes);
  if (other !== undefined) r.files.set(pinnedPath, other);
};
const asRoot = (edit: (r: Repository) => void) => (r: Repository) => {
  edit(r);
  r.publishRoot();
  r.publish(...all);
};

/** What is refused, with the room's code; both keep the targets that they had. */
const refusals: readonly (readonly [string, string, (r: Repository) => void])[] = [
  ["an unsigned root", "root_invalid", forged("metadata/2.root.json")],
  ["an unsigned timestamp", "signature_invalid", forged("metadata/timestamp.json")],
  ["an unsigned snapshot", "hash_mismatch", forged("metadata/4.snapshot.json")],
  ["unsigned targets", "hash_mismatch", forged("metadata/4.targets.json")],
  ["another snapshot than the timestamp pins", "hash_mismatch", swapped("snapshot")],
  ["other targets than the snapshot pins", "hash_mismatch", swapped("targets")],
  ["no timestamp", "metadata_malformed", missing("metadata/timestamp.json")],
  ["no snapshot", "hash_mismatch", missing("metadata/4.snapshot.json")],
  ["no targets", "hash_mismatch", missing("metadata/4.targets.json")],
  ["an expired timestamp", "metadata_expired", expired("timestamp")],
  ["an expired snapshot", "metadata_expired", expired("snapshot")],
  ["expired targets", "metadata_expired", expired("targets")],
  ["an expired root", "metadata_expired", asRoot((r) => void (r.roles.root.expires = daysAgo()))],
  [
    "a timestamp in the snapshot's place",
    "hash_mismatch",
    (r) => {
      r.publish(...all);
      r.files.set(
        "metadata/4.snapshot.json",
        r.files.get("metadata/timestamp.json") ?? Buffer.alloc(0),
      );
    },
  ],
  [
    "a timestamp of another role's key",
    "signature_invalid",
    (r) => {
      r.roles.timestamp.signers = r.roles.targets.keys;
      r.publish(...all);
    },
  ],
  [
    "a timestamp by a key that a new root no longer names",
    "signature_invalid",
    asRoot((r) => {
      r.roles.timestamp.signers = r.roles.timestamp.keys;
      r.roles.timestamp.keys = [newKey()];
    }),
  ],
  [
    "a snapshot below its threshold",
    "signature_invalid",
    asRoot((r) => {
      r.roles.snapshot.keys = [newKey(), newKey(), newKey()];
      r.roles.snapshot.threshold = 3;
      r.roles.snapshot.signers = r.roles.snapshot.keys.slice(1);
    }),
  ],
  [
    "a role with fewer keys than its threshold",
    "root_invalid",
    asRoot((r) => void (r.roles.snapshot.threshold = 2)),
  ],
  [
    "a root that the one before did not sign",
    "root_invalid",
    (r) => {
      const before = r.files.get("metadata/1.root.json");
      r.roles.root.keys = [newKey()];
      r.publishRoot();
      const next = r.roles.root.version;
      r.publishRoot();
      alter(r, `metadata/${next + 1}.root.json`, (text) =>
        text.replace(`"version":${next + 1}`, `"version":${next}`),
      );
      r.files.set(
        `metadata/${next}.root.json`,
        r.files.get(`metadata/${next + 1}.root.json`) ?? Buffer.alloc(0),
      );
      r.files.delete(`metadata/${next + 1}.root.json`);
      if (before !== undefined) r.files.set("metadata/1.root.json", before);
    },
  ],
  [
    "a root of another version than its name",
    "root_invalid",
    (r) => {
      r.roles.root.version = 2;
      r.publishRoot();
      r.files.set("metadata/2.root.json", r.files.get("metadata/3.root.json") ?? Buffer.alloc(0));
      r.files.delete("metadata/3.root.json");
    },
  ],
  [
    "an older timestamp",
    "version_rollback",
    (r) => {
      r.roles.timestamp.version = 2;
      r.publish();
    },
  ],
  [
    "an older snapshot under a newer timestamp",
    "version_rollback",
    (r) => {
      r.roles.snapshot.version = 2;
      r.publish("timestamp");
    },
  ],
  [
    "older targets under a newer snapshot",
    "version_rollback",
    (r) => {
      r.roles.targets.version = 2;
      r.publish("snapshot", "timestamp");
    },
  ],
  [
    "a snapshot that no longer lists targets",
    "metadata_malformed",
    (r) => {
      r.roles.snapshot.edit = (payload) => ({ ...payload, meta: {} });
      r.publish(...all);
    },
  ],
];

describe.each(modes)("%s refuses", (mode) => {
  test.each(refusals)("%s", async (_, code, attack) => {
    await stage.init(mode);
    for (const role of all) stage.repository.roles[role].version = 3;
    stage.repository.publish();
    expect(await stage.refresh(mode)).toBe(0);
    attack(stage.repository);
    expect(await stage.refresh(mode)).toBe(1);
    if (mode === "room") expect(stage.said.join()).toMatch(new RegExp(`^${code}: `));
    expect(stage.believed()["targets"]).toBe(3);
  });

  test("a target that is not the one that was signed", async () => {
    await stage.init(mode);
    alter(stage.repository, `targets/${sha256(stage.repository.bundle)}.bundle.json`, (text) =>
      text.replace("198.51.100.1", "198.51.100.2"),
    );
    expect(await stage.download(mode)).toBe(1);
  });
});

function ecdsaKey(): RoleKeys {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const key = {
    keytype: "ecdsa",
    scheme: "ecdsa-sha2-nistp256",
    keyval: { public: publicKey.export({ type: "spki", format: "pem" }).toString() },
  };
  return {
    keyid: sha256(formatCanonical(key)),
    key,
    sign: (bytes) => sign("sha256", bytes, privateKey).toString("hex"),
  };
}

/** What TUF allows and Portcullis does not: the suite's cases for it are expected failures of the room. */
const stricter: readonly (readonly [string, string, (r: Repository) => void])[] = [
  [
    "keys of another kind than Ed25519",
    "metadata_malformed",
    asRoot((r) => void (r.roles.timestamp.keys = [ecdsaKey()])),
  ],
  [
    "fields that it does not know",
    "metadata_malformed",
    asRoot(
      (r) => void (r.roles.root.edit = (payload) => ({ ...payload, "custom-field": "value" })),
    ),
  ],
  [
    "a pin without SHA-256",
    "metadata_malformed",
    (r) => {
      r.roles.timestamp.edit = (payload) => {
        const { version } =
          (payload["meta"] as Record<string, { version: number }>)["snapshot.json"] ?? {};
        return { ...payload, meta: { "snapshot.json": { version } } };
      };
      r.publish(...all);
    },
  ],
  [
    "a key under a name that is not its own",
    "root_invalid",
    asRoot((r) => {
      const [key] = r.roles.timestamp.keys;
      if (key !== undefined) r.roles.timestamp.keys = [{ ...key, keyid: keyIdOf({ ...ed25519 }) }];
    }),
  ],
  [
    "other content under a version that it has seen",
    "version_mismatch",
    (r) => {
      r.roles.timestamp.edit = (payload) => ({ ...payload, expires: inDays(3) });
      r.publish();
    },
  ],
];
const ed25519 = {
  keytype: "ed25519",
  scheme: "ed25519",
  keyval: { public: "00".repeat(32) },
} as const;

describe("stricter than TUF asks for, the room alone refuses", () => {
  test.each(stricter)("%s", async (_, code, publish) => {
    for (const mode of modes)
      expect([await stage.init(mode), await stage.refresh(mode)]).toEqual([0, 0]);
    publish(stage.repository);
    expect([await stage.refresh("stock"), ...stage.said]).toEqual([0]);
    expect(await stage.refresh("room")).toBe(1);
    expect(stage.said.join()).toMatch(new RegExp(`^${code}: `));
  });
});
