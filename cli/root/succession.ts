/**
 * From one root to the next: builds version N+1 with some keys changed, and says what is missing before it may follow.
 * The rules are those of TUF specification §5.3, and the control plane's own: one key for each online role. Pure.
 */
import { checkClaims } from "#core/tuf/claims.ts";
import { findOnlineFault } from "#core/tuf/online.ts";
import { keyIdOf, rootFault } from "#core/tuf/read.ts";
import { findCandidateFaults } from "#core/tuf/succession.ts";
import { operatorsSign, type Root, type TufKey } from "#schema/tuf.ts";
import { Failure } from "#cli/text/output.ts";
import { buildRoot, type OnlineKeys, type TargetsRole } from "./name.ts";
import { holds, type RootFile } from "./file.ts";

export interface RootChange {
  readonly add: readonly TufKey[];
  /** Key ids, or the beginning of one in at least 8 digits. */
  readonly remove: readonly string[];
  /** As before where it is not said. */
  readonly threshold: number | undefined;
  /** As before where they are not said. */
  readonly online: OnlineKeys | undefined;
  /** Who signs targets from now on; as before where it is not said. */
  readonly targets: TargetsRole | "control plane" | undefined;
  readonly days: number | undefined;
}

/** The next root, unsigned. @throws Failure when the change does not fit the root in force */
export function makeNextRoot(current: Root, change: RootChange, now: number): Root {
  const removed = change.remove.map((named) => findKey(current, named));
  const kept = current.roles.root.keyids.filter((id) => !removed.includes(id));
  const added = change.add.map(keyIdOf);
  const twice = added.find(
    (id, i) => current.roles.root.keyids.includes(id) || added.indexOf(id) !== i,
  );
  if (twice !== undefined) throw new Failure(`${twice} is a root key already`);
  const online = change.online ?? onlineOf(current);
  const targets = makeTargetsAfter(current, change, online);
  const rootKeys = [...kept.map((id) => keyOf(current, id)), ...change.add];
  if (rootKeys.length > rootKeysMax)
    throw new Failure(`a root has at most ${rootKeysMax} root keys`);
  const threshold = change.threshold ?? current.roles.root.threshold;
  const version = current.version + 1;
  const next = buildRoot({ version, now, days: change.days, threshold, rootKeys, online, targets });
  const fault = rootFault(next) ?? findOnlineFault(next, idsOf(online));
  if (fault !== undefined) throw new Failure(fault);
  return next;
}

const idsOf = ({ targets, snapshot, timestamp }: OnlineKeys) => ({
  targets: keyIdOf(targets),
  snapshot: keyIdOf(snapshot),
  timestamp: keyIdOf(timestamp),
});

/** Operators' keys stay through a change of the online keys: which of them was the control plane's own, no root says. */
function makeTargetsAfter(current: Root, change: RootChange, online: OnlineKeys): TargetsRole {
  if (change.targets === "control plane") return { keys: [online.targets], threshold: 1 };
  if (change.targets === undefined && !operatorsSign(current))
    return { keys: [online.targets], threshold: 1 };
  const { keyids, threshold } = current.roles.targets;
  const role = change.targets ?? { keys: keyids.map((id) => keyOf(current, id)), threshold };
  if (role.keys.length < 2) throw new Failure("operators sign targets with two keys at least");
  return role;
}

export const rootKeysMax = 16;

function findKey(root: Root, named: string): string {
  const matching = root.roles.root.keyids.filter((id) => id.startsWith(named));
  const [id] = matching;
  if (!/^[0-9a-f]{8,64}$/.test(named) || id === undefined)
    throw new Failure(`no root key of version ${root.version} begins with ${named}`);
  if (matching.length > 1) throw new Failure(`more than one root key begins with ${named}`);
  return id;
}

function keyOf(root: Root, id: string): TufKey {
  const key = root.keys[id];
  if (key === undefined) throw new Failure(`key ${id} is not in the root`);
  return key;
}

function onlineOf(root: Root): OnlineKeys {
  const findOnlyKey = (role: keyof OnlineKeys): TufKey => {
    const [id, ...more] = root.roles[role].keyids;
    if (id === undefined || (more.length > 0 && role !== "targets"))
      throw new Failure(`role ${role} has more than one key`);
    return keyOf(root, id);
  };
  return {
    targets: findOnlyKey("targets"),
    snapshot: findOnlyKey("snapshot"),
    timestamp: findOnlyKey("timestamp"),
  };
}

/** The keys of one role of the root that came and went from one root to the next. */
export function listKeyChanges(current: Root, next: Root, role: keyof Root["roles"]) {
  const before = current.roles[role].keyids;
  const after = next.roles[role].keyids;
  return {
    added: after.filter((id) => !before.includes(id)),
    removed: before.filter((id) => !after.includes(id)),
  };
}

/**
 * Why `next` may not follow `current` (undefined: nothing is in force yet) now, or nothing. What the control plane's
 * online keys are is for it to say.
 */
export const successionFaults = (
  current: RootFile | undefined,
  next: RootFile,
  now: number,
): readonly string[] =>
  checkClaims(findCandidateFaults(current, next, now), holds).map(({ message }) => message);
