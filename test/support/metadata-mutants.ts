/** Mutants of a host's metadata: one file is changed, and every pin above it and every signature is right again. */
import { createHash } from "node:crypto";
import { buildRoot, makeRootKey, type RootKey, signRoot } from "#cli/root/name.ts";
import { encodeBundle } from "#schema/bundle.ts";
import {
  longestLife,
  type Snapshot,
  specVersion,
  type Targets,
  type Timestamp,
} from "#schema/tuf.ts";
import { emptyRuleset } from "#schema/ruleset.ts";
import {
  changedPlaces,
  type Mutant,
  noTimes,
  otherForms,
  otherSpellings,
  signatureChanges,
  signedText,
  withValue,
} from "./mutants.ts";

export interface Files {
  readonly timestamp: string;
  readonly snapshot: string;
  readonly targets: string;
}

export interface MetadataMutant {
  readonly title: string;
  readonly files: Files;
  readonly wanted: Mutant["wanted"];
}

const make = (): readonly [RootKey, RootKey, RootKey] => [
  makeRootKey(),
  makeRootKey(),
  makeRootKey(),
];
const rootKeys = make();
/** Two of three operators sign targets. */
const targetsKeys = make();
const [snapshotKey, timestampKey] = make();
export const owner = { host: "gw", fleet: "f1" } as const;
export const bundle = Buffer.from(encodeBundle(emptyRuleset));
const made = buildRoot({
  version: 1,
  now: Date.now(),
  threshold: 2,
  rootKeys: rootKeys.map(({ key }) => key),
  online: { targets: targetsKeys[0].key, snapshot: snapshotKey.key, timestamp: timestampKey.key },
  targets: { keys: targetsKeys.map(({ key }) => key), threshold: 2 },
});
export const rootText = signRoot(made, rootKeys.slice(0, 2));

const sha256 = (text: string | Buffer): string => createHash("sha256").update(text).digest("hex");
const inDays = (days: number): string =>
  `${new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 19)}Z`;
const base = { spec_version: specVersion, version: 2 } as const;
const target = {
  length: bundle.length,
  hashes: { sha256: sha256(bundle) },
  custom: {
    ...owner,
    seq: 2,
    revision: 7,
    min_revision: 3,
    issued: inDays(0),
    prev: { seq: 1, sha256: "0".repeat(64) },
    mode: "enforce" as const,
    crit: [],
  },
};
const targets: Targets = {
  _type: "targets",
  ...base,
  expires: inDays(30),
  targets: { "bundle.json": target },
};

const pin = (text: string, version: unknown = 2) => ({
  version,
  length: Buffer.byteLength(text),
  hashes: { sha256: sha256(text) },
});
const snapshotOver = (text: string): Snapshot =>
  ({
    _type: "snapshot",
    ...base,
    expires: inDays(14),
    meta: { "targets.json": pin(text) },
    custom: owner,
  }) as Snapshot;
const timestampOver = (text: string): Timestamp =>
  ({
    _type: "timestamp",
    ...base,
    expires: inDays(1),
    meta: { "snapshot.json": pin(text) },
  }) as Timestamp;

const operators = targetsKeys.slice(0, 2);
const withTargets = (text: string): Files => withSnapshot(text, snapshotOver(text));
const withSnapshot = (targetsText: string, payload: unknown): Files =>
  overSnapshot(targetsText, signedText(payload, [snapshotKey]));
const overSnapshot = (targetsText: string, snapshot: string): Files => ({
  targets: targetsText,
  snapshot,
  timestamp: signedText(timestampOver(snapshot), [timestampKey]),
});
const targetsText = signedText(targets, operators);
const snapshot = snapshotOver(targetsText);
const sound: Files = withTargets(targetsText);
const timestamp = timestampOver(sound.snapshot);

const bundlePlaces = ["length", "hashes", "custom"].map((part) => ["targets", "bundle.json", part]);
const customPlaces = Object.keys(target.custom).map((part) => [
  "targets",
  "bundle.json",
  "custom",
  part,
]);
const common = [["_type"], ["spec_version"], ["version"], ["expires"]];

type Role = keyof Files;
interface Making {
  readonly role: Role;
  readonly payload: object;
  readonly places: readonly (readonly string[])[];
  readonly files: (text: string) => Files;
  readonly keys: readonly RootKey[];
}
const makings: readonly Making[] = [
  {
    role: "targets",
    payload: targets,
    places: [...common, ["targets"], ["targets", "bundle.json"], ...bundlePlaces, ...customPlaces],
    files: withTargets,
    keys: operators,
  },
  {
    role: "snapshot",
    payload: snapshot,
    places: [
      ...common,
      ["meta"],
      ["meta", "targets.json"],
      ["meta", "targets.json", "version"],
      ["custom", "host"],
      ["custom"],
    ],
    files: (text) => overSnapshot(targetsText, text),
    keys: [snapshotKey],
  },
  {
    role: "timestamp",
    payload: timestamp,
    places: [
      ...common,
      ["meta"],
      ["meta", "snapshot.json", "length"],
      ["meta", "snapshot.json", "hashes"],
    ],
    files: (text) => ({ ...sound, timestamp: text }),
    keys: [timestampKey],
  },
];

/** What a strange value may rightly be in a place: a mode, a list of nothing, a number that is one. */
const harmless: ReadonlySet<string> = new Set([
  "targets/bundle.json/custom/min_revision is 0",
  "targets/bundle.json/custom/prev is null",
]);

export function metadataMutants(): readonly MetadataMutant[] {
  return [
    { title: "the sound metadata", files: sound, wanted: "taken" },
    ...makings.flatMap((making) => [...changed(making), ...dated(making)]),
    ...signatureChanges(targets, targetsKeys).map(({ title, text, wanted }) => ({
      title: `targets' ${title}`,
      files: withTargets(text),
      wanted,
    })),
    ...crossed(),
  ];
}

function changed({ role, payload, places, files, keys }: Making): readonly MetadataMutant[] {
  const text = signedText(payload, keys);
  const forms = [
    ...otherForms.map(([title, edit]) => [title, edit, "refused"] as const),
    ...otherSpellings.map(([title, edit]) => [title, edit, "taken"] as const),
  ];
  return [
    ...changedPlaces(payload, places).map((one): MetadataMutant => ({
      title: `${role}: ${one.title}`,
      files: files(signedText(one.payload, keys)),
      wanted: harmless.has(one.title) ? "taken" : "refused",
    })),
    ...forms.flatMap(([title, edit, wanted]): MetadataMutant[] =>
      edit(text) === text ? [] : [{ title: `${role}: ${title}`, files: files(edit(text)), wanted }],
    ),
  ];
}

function dated({ role, payload, files, keys }: Making): readonly MetadataMutant[] {
  const days = longestLife[role] / 86_400_000;
  const one = (title: string, edited: unknown, wanted: Mutant["wanted"]): MetadataMutant => ({
    title: `${role}: ${title}`,
    files: files(signedText(edited, keys)),
    wanted,
  });
  return [
    ...noTimes.map((time) =>
      one(`expires ${JSON.stringify(time)}`, { ...payload, expires: time }, "refused"),
    ),
    one("expired", { ...payload, expires: inDays(-1) }, "refused"),
    one("as long as any may live", { ...payload, expires: inDays(days) }, "taken"),
    one("two days longer", { ...payload, expires: inDays(days + 2) }, "refused"),
    one("80 years longer", { ...payload, expires: inDays(29_200) }, "refused"),
    ...(role === "targets" ? issued(one, payload) : []),
  ];
}

function issued(
  one: (title: string, edited: unknown, wanted: Mutant["wanted"]) => MetadataMutant,
  payload: object,
): readonly MetadataMutant[] {
  const place = ["targets", "bundle.json", "custom", "issued"];
  return [
    ...noTimes.map((time) =>
      one(`issued ${JSON.stringify(time)}`, withValue(payload, place, time), "refused"),
    ),
    one("issued in two days", withValue(payload, place, inDays(2)), "refused"),
    one("issued in 80 years", withValue(payload, place, inDays(29_200)), "refused"),
    one("issued in an hour, by a clock ahead", withValue(payload, place, inDays(1 / 24)), "taken"),
  ];
}

/** Files that are sound by themselves, and not what stands above or beside them says. */
function crossed(): readonly MetadataMutant[] {
  const other = signedText({ ...targets, expires: inDays(29) }, operators);
  const byStranger = (payload: unknown): string => signedText(payload, [makeRootKey()]);
  const inCustom = (part: string, value: unknown, payload: object = targets): Files =>
    withTargets(
      signedText(withValue(payload, ["targets", "bundle.json", "custom", part], value), operators),
    );
  const pinning = (part: string, value: unknown): Files => ({
    ...sound,
    timestamp: signedText(withValue(timestamp, ["meta", "snapshot.json", part], value), [
      timestampKey,
    ]),
  });
  const digest = { sha256: sha256(sound.snapshot).toUpperCase() };
  const byTwo = signedText(targets, [targetsKeys[0], snapshotKey]);
  const two = signedText(withValue(targets, ["targets", "other.json"], target), operators);
  const delegating = signedText({ ...targets, delegations: { keys: {}, roles: [] } }, operators);
  const all: readonly (readonly [title: string, files: Files])[] = [
    ["targets that no snapshot pins", { ...sound, targets: other }],
    ["a snapshot that no timestamp pins", { ...sound, snapshot: withTargets(other).snapshot }],
    ["targets in the snapshot's place", { ...sound, snapshot: sound.targets }],
    ["a root in the timestamp's place", { ...sound, timestamp: rootText }],
    ["targets of another version than their pin", inCustom("seq", 3, { ...targets, version: 3 })],
    ["targets by the timestamp's key", withTargets(signedText(targets, [timestampKey]))],
    ["targets by one operator and the snapshot's key", withTargets(byTwo)],
    ["a snapshot by a stranger", overSnapshot(sound.targets, byStranger(snapshot))],
    ["a timestamp by a stranger", { ...sound, timestamp: byStranger(timestamp) }],
    ["a timestamp by the root's keys", { ...sound, timestamp: signedText(timestamp, rootKeys) }],
    ["another host's targets", inCustom("host", "web1")],
    [
      "another fleet's snapshot",
      withSnapshot(sound.targets, { ...snapshot, custom: { ...owner, fleet: "f2" } }),
    ],
    ["two bundles", withTargets(two)],
    ["a revision below its own floor", inCustom("revision", 2)],
    ["a feature that nobody knows", inCustom("crit", ["time-travel"])],
    ["a pin of a byte more", pinning("length", Buffer.byteLength(sound.snapshot) + 1)],
    ["a pin in capitals", pinning("hashes", digest)],
    ["delegations", withTargets(delegating)],
  ];
  return all.map(([title, files]) => ({ title, files, wanted: "refused" }));
}
