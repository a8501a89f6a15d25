/** Mutants of a root's successor: hundreds of roots that a threshold of keys signed, few of which may be followed. */
import { makeRootKey, type RootKey } from "#cli/root/name.ts";
import { formatCanonical } from "#schema/canonical.ts";
import type { Role, Root } from "#schema/tuf.ts";
import {
  changedPlaces,
  keyOf,
  type Mutant,
  noTimes,
  otherForms,
  otherSpellings,
  signatureChanges,
  signedText,
  weakKeys,
  withValue,
} from "./mutants.ts";

/** @param root a sound payload of version 2, whose root keys `by` are those of version 1 too, two of three to sign */
export function rootMutants(
  root: Root,
  by: readonly [RootKey, RootKey, RootKey],
): readonly Mutant[] {
  const [a, b] = by;
  const signers = [a, b];
  const sound = signedText(root, signers);
  const edited = (title: string, payload: unknown, wanted: Mutant["wanted"]): Mutant => ({
    title,
    text: signedText(payload, signers),
    wanted,
  });
  const [online] = root.roles.targets.keyids;
  const places = [
    ["_type"],
    ["spec_version"],
    ["version"],
    ["expires"],
    ["consistent_snapshot"],
    ["keys"],
    ["keys", online ?? ""],
    ["keys", online ?? "", "keytype"],
    ["keys", online ?? "", "scheme"],
    ["keys", online ?? "", "keyval"],
    ["keys", online ?? "", "keyval", "public"],
    ["roles"],
    ["roles", "root"],
    ["roles", "root", "keyids"],
    ["roles", "root", "threshold"],
    ["roles", "snapshot", "keyids"],
    ["roles", "timestamp", "threshold"],
  ];
  return [
    { title: "the sound root", text: sound, wanted: "taken" },
    ...changedPlaces(root, places).map(({ title, payload }) => edited(title, payload, "refused")),
    ...noTimes.map((time) =>
      edited(`expires ${JSON.stringify(time)}`, { ...root, expires: time }, "refused"),
    ),
    ...times(root, edited),
    ...roleChanges(root, edited),
    ...keyChanges(root, by, edited),
    ...weakKeys.map((key) => {
      const [id, object] = keyOf(key);
      const roles = {
        ...root.roles,
        targets: { keyids: [id, ...root.roles.targets.keyids], threshold: 1 },
      };
      return edited(
        `names the weak key ${key}`,
        { ...root, keys: { ...root.keys, [id]: object }, roles },
        "refused",
      );
    }),
    ...["1.0.0", "1.0.30", "1.0.32", "1.1", "2.0.0", "1", "1.0.31 "].map((version) =>
      edited(
        `spec_version ${JSON.stringify(version)}`,
        { ...root, spec_version: version },
        "refused",
      ),
    ),
    ...[3, 4, 2 ** 31, 2 ** 53 - 1].map((version) =>
      edited(`version ${version}`, { ...root, version }, "refused"),
    ),
    edited(
      "version 1 once more",
      { ...root, version: 1, expires: "2028-02-29T23:59:59Z" },
      "refused",
    ),
    ...signatureChanges(root, by),
    ...otherForms.map(([title, edit]): Mutant => ({ title, text: edit(sound), wanted: "refused" })),
    ...otherSpellings.map(([title, edit]): Mutant => ({
      title,
      text: edit(sound),
      wanted: undefined,
    })),
  ];
}

type Edited = (title: string, payload: unknown, wanted: Mutant["wanted"]) => Mutant;

/** Ends that exist: what is over or far may be followed, but neither made nor believed. */
function times(root: Root, edited: Edited): readonly Mutant[] {
  const at = (days: number): string =>
    `${new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 19)}Z`;
  const one = (days: number, wanted: Mutant["wanted"]): Mutant =>
    edited(`expires in ${days} days`, { ...root, expires: at(days) }, wanted);
  return [
    ...[1, 30, 365, 1826].map((days) => one(days, "taken")),
    ...[-1, -3650, 1828, 3650, 36_500].map((days) => one(days, undefined)),
    edited("expires on 29 February", { ...root, expires: "2028-02-29T23:59:59Z" }, "taken"),
  ];
}

const all: readonly Role[] = ["root", "targets", "snapshot", "timestamp"];

/** What is wrong with one role, or between two, whichever they are. */
function roleChanges(root: Root, edited: Edited): readonly Mutant[] {
  const replaced = (role: Role, part: "keyids" | "threshold", value: unknown): unknown =>
    withValue(root, ["roles", role, part], value);
  const { keyid: absent } = makeRootKey();
  return all.flatMap((role) => {
    const { keyids } = root.roles[role];
    const others = Object.fromEntries(Object.entries(root.roles).filter(([name]) => name !== role));
    const changes: readonly (readonly [title: string, payload: unknown])[] = [
      ["names a key twice", replaced(role, "keyids", [...keyids, keyids[0]])],
      ["names a key that is not there", replaced(role, "keyids", [...keyids, absent])],
      ["asks for more keys than it has", replaced(role, "threshold", keyids.length + 1)],
      ["asks for 17", replaced(role, "threshold", 17)],
      ["is missing", { ...root, roles: others }],
      ["names a key by its beginning", replaced(role, "keyids", [keyids[0]?.slice(0, 16)])],
      ...all
        .filter((other) => other !== role)
        .flatMap((other) => [
          [
            `has the keys of ${other}`,
            withValue(root, ["roles", role], root.roles[other]),
          ] as const,
          [
            `has a key of ${other} besides`,
            replaced(role, "keyids", [...keyids, root.roles[other].keyids[0]]),
          ] as const,
        ]),
    ];
    return changes.map(([title, payload]) => edited(`${role} ${title}`, payload, "refused"));
  });
}

function keyChanges(
  root: Root,
  by: readonly [RootKey, RootKey, RootKey],
  edited: Edited,
): readonly Mutant[] {
  const stranger = makeRootKey();
  const [a, b, c] = by;
  const { threshold, keyids } = root.roles.root;
  const rootRole = (part: Partial<Root["roles"]["root"]>) => ({
    ...root,
    roles: { ...root.roles, root: { threshold, keyids, ...part } },
  });
  const withKey = (id: string, key: unknown = stranger.key) => ({
    ...root,
    keys: { ...root.keys, [id]: key },
  });
  const capitals = {
    ...stranger.key,
    keyval: { public: stranger.key.keyval.public.toUpperCase() },
  };
  const many = Array.from({ length: 14 }, (_, i) => `${i}`.padStart(64, "0"));
  return [
    edited("root asks for one", rootRole({ threshold: 1 }), "taken"),
    edited("root asks for three, signed by two", rootRole({ threshold: 3 }), "refused"),
    edited("root loses a key that does not sign", withoutKey(root, c), "taken"),
    edited("root loses a key that signs", withoutKey(root, b), "refused"),
    edited("17 root keys", rootRole({ keyids: [...keyids, ...many] }), "refused"),
    edited("a key more that no role names", withKey(stranger.keyid), "taken"),
    edited("a key under another's id", withKey(a.keyid), "refused"),
    edited("a key under no digest", withKey("mine"), "refused"),
    edited("a key under its digest in capitals", withKey(stranger.keyid.toUpperCase()), "refused"),
    edited("a key in capitals", withKey(stranger.keyid, capitals), "refused"),
    edited("a fifth role", withValue(root, ["roles", "mirrors"], root.roles.targets), "refused"),
    edited("root keys that a stranger made", strangersRoot(root), "refused"),
    edited("not the payload but its text", formatCanonical(root), "refused"),
    ...onlineChanges(root, edited, stranger),
  ];
}

/** What a host follows and no control plane takes, as its own keys would be given away. */
function onlineChanges(root: Root, edited: Edited, stranger: RootKey): readonly Mutant[] {
  return (["targets", "snapshot", "timestamp"] as const).map((role) =>
    edited(
      `${role} is a stranger's`,
      {
        ...root,
        keys: { ...root.keys, [stranger.keyid]: stranger.key },
        roles: { ...root.roles, [role]: { keyids: [stranger.keyid], threshold: 1 } },
      },
      undefined,
    ),
  );
}

function withoutKey(root: Root, { keyid }: RootKey): Root {
  const keyids = root.roles.root.keyids.filter((id) => id !== keyid);
  const keys = Object.fromEntries(Object.entries(root.keys).filter(([id]) => id !== keyid));
  return { ...root, keys, roles: { ...root.roles, root: { keyids, threshold: 2 } } };
}

function strangersRoot(root: Root): Root {
  const made = [makeRootKey(), makeRootKey()];
  const keys = { ...root.keys, ...Object.fromEntries(made.map(({ keyid, key }) => [keyid, key])) };
  return {
    ...root,
    keys,
    roles: { ...root.roles, root: { keyids: made.map(({ keyid }) => keyid), threshold: 1 } },
  };
}
