/**
 * Cases of TUF's conformance suite (theupdateframework/tuf-conformance) by their names there, each in a repository of our
 * shape, with the verdicts of the trust room and of stock tuf-js. What TUF allows and the room refuses says why.
 */
import { generateKeyPairSync, sign } from "node:crypto";
import { sha256Of } from "#cli/root/name.ts";
import { formatCanonical } from "#schema/canonical.ts";
import { newKey, type OnlineRole, type Repository, type RoleKeys } from "./repository.ts";
import { alter } from "./stage.ts";

const online = ["targets", "snapshot", "timestamp"] as const;
type Edit = (repository: Repository) => void;

export const asRoot =
  (edit: Edit): Edit =>
  (r) => {
    edit(r);
    r.publishRoot();
    r.publish(...online);
  };
/** The payload of a role, once more with what `fields` makes of it. */
const edited =
  (role: OnlineRole, fields: (payload: Record<string, unknown>) => object): Edit =>
  (r) => {
    r.roles[role].edit = (payload) => ({ ...payload, ...fields(payload) });
    r.publish(...online);
  };
interface TargetFile {
  readonly hashes: { readonly sha256: string };
}
const target = (fields: (file: TargetFile) => object): Edit =>
  edited("targets", ({ targets }) => ({
    targets: fields((targets as Readonly<Record<"bundle.json", TargetFile>>)["bundle.json"]),
  }));

interface Envelope {
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
  readonly signed: object;
}
/** Changes who signed a served file, and not what is signed. */
export const resigned = (
  r: Repository,
  path: string,
  change: (signatures: Envelope["signatures"]) => Envelope["signatures"],
): void =>
  alter(r, path, (text) => {
    const { signatures, signed } = JSON.parse(text) as Envelope;
    return formatCanonical({ signatures: change(signatures), signed });
  });

function foreignKey(keytype: "ecdsa" | "rsa"): RoleKeys {
  const { privateKey, publicKey } =
    keytype === "ecdsa"
      ? generateKeyPairSync("ec", { namedCurve: "prime256v1" })
      : generateKeyPairSync("rsa", { modulusLength: 2048 });
  const scheme = keytype === "ecdsa" ? "ecdsa-sha2-nistp256" : "rsassa-pss-sha256";
  const key = {
    keytype,
    scheme,
    keyval: { public: publicKey.export({ type: "spki", format: "pem" }).toString() },
  };
  const pss = { key: privateKey, padding: 6, saltLength: 32 };
  return {
    keyid: sha256Of(formatCanonical(key)),
    key,
    sign: (bytes) => sign("sha256", bytes, keytype === "rsa" ? pss : privateKey).toString("hex"),
  };
}

/** What the suite's delegating targets hold. */
const delegating = (name: string): Edit =>
  edited("targets", () => ({
    delegations: {
      keys: {},
      roles: [{ name, keyids: [], threshold: 1, terminating: false, paths: ["*"] }],
    },
  }));

interface Case {
  /** Its names in the suite; more than one where the room gets no further than what they have in common. */
  readonly ids: readonly string[];
  readonly edit: Edit;
  /** The room's refusal; undefined where it follows. */
  readonly code: string | undefined;
  /** Whether TUF follows, as stock tuf-js says. */
  readonly stock: 0 | 1;
  /** Why the room refuses what TUF allows. */
  readonly reason?: string;
}

const numbered = (name: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `${name}[${index + 1}]`);
const noDelegations =
  "one host's targets are one file, signed by one role: the room knows no delegations";

export const cases: readonly Case[] = [
  {
    ids: ["url_and_metadata_version_mismatch[snapshot]"],
    edit: edited("snapshot", ({ version }) => ({ version: Number(version) + 1 })),
    code: "version_mismatch",
    stock: 1,
  },
  {
    ids: ["url_and_metadata_version_mismatch[targets]"],
    edit: edited("targets", ({ version }) => ({ version: Number(version) + 1 })),
    code: "version_mismatch",
    stock: 1,
  },
  {
    ids: ["metadata_bytes_match"],
    edit: (r) => {
      r.publish(...online);
      alter(r, "metadata/timestamp.json", (text) => JSON.stringify(JSON.parse(text), null, 1));
    },
    code: undefined,
    stock: 0,
  },
  {
    ids: ["deprecated_keyid_hash_algorithms"],
    edit: asRoot((r) => {
      const [key] = r.roles.timestamp.keys;
      if (key)
        r.roles.timestamp.keys = [
          { ...key, key: { ...key.key, keyid_hash_algorithms: ["sha256"] } },
        ];
    }),
    code: "metadata_malformed",
    stock: 0,
    reason: "a key has the fields that its id is made of and no others",
  },
  {
    ids: ["custom_fields"],
    edit: edited("timestamp", () => ({ "custom-field": "value" })),
    code: "metadata_malformed",
    stock: 0,
    reason: "fields of ours are named in the schema; what is not is refused",
  },
  {
    ids: ["client_downloads_expected_file_in_sub_dir"],
    edit: target((file) => ({ "sub/bundle.json": file })),
    code: "metadata_malformed",
    stock: 0,
    reason: "a host has one target, by one name",
  },
  {
    ids: ["download_with_hash_algorithms[sha256]"],
    edit: target((file) => ({
      "bundle.json": { ...file, hashes: { sha256: file.hashes.sha256 } },
    })),
    code: undefined,
    stock: 0,
  },
  {
    ids: ["download_with_hash_algorithms[sha512]"],
    edit: target((file) => ({ "bundle.json": { ...file, hashes: { sha512: "0".repeat(128) } } })),
    code: "metadata_malformed",
    stock: 0,
    reason: "SHA-256 alone is believed",
  },
  {
    ids: ["download_with_hash_algorithms[sha256,sha512]"],
    edit: target((file) => ({
      "bundle.json": { ...file, hashes: { ...file.hashes, sha512: "0".repeat(128) } },
    })),
    code: "metadata_malformed",
    stock: 0,
    reason: "SHA-256 alone is believed",
  },
  {
    ids: ["download_with_unknown_hash_algorithm"],
    edit: target((file) => ({ "bundle.json": { ...file, hashes: { future: "00" } } })),
    code: "metadata_malformed",
    stock: 0,
    reason: "SHA-256 alone is believed",
  },
  {
    ids: ["duplicate_keys"],
    edit: asRoot((r) => {
      const [key = newKey()] = r.roles.timestamp.keys;
      r.roles.timestamp.keys = [key, key];
      r.roles.timestamp.threshold = 2;
    }),
    code: "root_invalid",
    stock: 1,
  },
  {
    ids: ["duplicate_sig_keyids"],
    edit: (r) => {
      r.publish(...online);
      resigned(r, "metadata/timestamp.json", (all) => [...all, ...all]);
    },
    code: "metadata_malformed",
    stock: 1,
  },
  {
    ids: ["keytype_and_scheme[ecdsa-p256]"],
    edit: asRoot((r) => void (r.roles.timestamp.keys = [foreignKey("ecdsa")])),
    code: "metadata_malformed",
    stock: 0,
    reason: "Ed25519 alone is believed",
  },
  {
    ids: ["keytype_and_scheme[rsa-pss]"],
    edit: asRoot((r) => void (r.roles.timestamp.keys = [foreignKey("rsa")])),
    code: "metadata_malformed",
    stock: 0,
    reason: "Ed25519 alone is believed",
  },
  {
    ids: ["keytype_and_scheme[ed25519]"],
    edit: asRoot((r) => void (r.roles.timestamp.keys = [newKey()])),
    code: undefined,
    stock: 0,
  },
  {
    ids: ["invalid_sig_in_valid_metadata"],
    edit: (r) => {
      r.publish(...online);
      resigned(r, "metadata/timestamp.json", (all) => [
        ...all,
        { keyid: newKey().keyid, sig: "00".repeat(64) },
      ]);
    },
    code: undefined,
    stock: 0,
  },
  {
    ids: [
      "unusual_role_name[?]",
      "unusual_role_name[#]",
      "unusual_role_name[/x]",
      "unusual_role_name[../x]",
    ],
    edit: delegating("../x"),
    code: "metadata_malformed",
    stock: 0,
    reason: noDelegations,
  },
  {
    ids: [...numbered("graph_traversal", 12), ...numbered("targetfile_search", 9)],
    edit: delegating("A"),
    code: "metadata_malformed",
    stock: 0,
    reason: noDelegations,
  },
  {
    ids: ["cached_role_is_verified_against_current_delegator", "delegation_not_in_snapshot"],
    edit: delegating("B"),
    code: "metadata_malformed",
    stock: 0,
    reason: noDelegations,
  },
  {
    ids: ["static[tuf-on-ci-0.11]", "static[sigstore-root-signing]"],
    edit: asRoot((r) => void (r.roles.root.keys = [foreignKey("ecdsa")])),
    code: "metadata_malformed",
    stock: 0,
    reason: "files of others' repositories, signed by ECDSA: Ed25519 alone is believed",
  },
];
