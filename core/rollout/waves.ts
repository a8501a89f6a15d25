/**
 * Which host goes in which wave. Pure and deterministic: the order of the input decides nothing, and neither do names,
 * as hosts are ordered by the hash of theirs, those that enforce before those that do not. Whatever the strategy but `all`, a wave holds at most half of a role's
 * hosts, or its only one; who does not fit goes with a later wave.
 */
import type { Phase, Strategy } from "#schema/rollout.ts";
import { formatCanonical } from "#schema/canonical.ts";
import { compareText } from "#schema/order.ts";
import { hashText } from "#schema/sha256.ts";

export interface Candidate {
  readonly host: string;
  readonly roles: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** Its last report says that its rules decide: a host that only counts, or takes nothing new, shows nothing to others. */
  readonly enforces: boolean;
}

/** Hosts by name, wave by wave; no wave is empty. */
export type Waves = readonly (readonly string[])[];

type Queue = readonly Candidate[];
/** How many hosts of a role one wave may hold. */
type Limits = ReadonlyMap<string, number>;

/** Every host stands in exactly one wave. Names must be distinct. */
export function planWaves(hosts: readonly Candidate[], strategy: Strategy): Waves {
  const queue = sortByHash(hosts);
  const limits = limitsOf(queue);
  const waves = ((): readonly Queue[] => {
    switch (strategy.kind) {
      case "all":
        return [queue];
      case "canary":
        return splitByPercentage(queue, limits, strategy.percentages);
      case "labels":
        return splitByLabels(queue, strategy.waves).flatMap((group) => drain(group, limits));
    }
  })();
  return waves.filter((wave) => wave.length > 0).map((wave) => wave.map(({ host }) => host));
}

/** Lower-case hex, over the lists of both phases. */
export const wavesDigest = (plan: Readonly<Record<Phase, Waves>>): string =>
  hashText(formatCanonical({ narrow: plan.narrow, widen: plan.widen }));

function sortByHash(hosts: readonly Candidate[]): Queue {
  const hashed = hosts.map((candidate) => ({ candidate, hash: hashText(candidate.host) }));
  const ordered = hashed
    .toSorted((a, b) => compareText(a.hash, b.hash))
    .map(({ candidate }) => candidate);
  return [
    ...ordered.filter(({ enforces }) => enforces),
    ...ordered.filter(({ enforces }) => !enforces),
  ];
}

function limitsOf(queue: Queue): Limits {
  const sizes = new Map<string, number>();
  for (const role of queue.flatMap(({ roles }) => [...new Set(roles)]))
    sizes.set(role, (sizes.get(role) ?? 0) + 1);
  return new Map([...sizes].map(([role, size]) => [role, Math.max(1, Math.floor(size / 2))]));
}

function splitByPercentage(
  queue: Queue,
  limits: Limits,
  percentages: readonly number[],
): readonly Queue[] {
  const [canary, afterCanary] = take(queue, queue.length, limits, makeUnseenRoleCheck());
  const waves = [canary];
  let rest = afterCanary;
  for (const percentage of percentages) {
    const due = Math.ceil((queue.length * percentage) / 100) - (queue.length - rest.length);
    const [wave, later] = take(rest, due, limits);
    waves.push(wave);
    rest = later;
  }
  return [...waves, ...drain(rest, limits)];
}

/** Picks one host of each role, and one of those without; a host of several roles stands for each. */
function makeUnseenRoleCheck(): (candidate: Candidate) => boolean {
  const seen = new Set<string>();
  return ({ roles }) => {
    // No role has an empty name, so that it can stand for having none.
    const own = roles.length === 0 ? [""] : roles;
    const fresh = own.some((role) => !seen.has(role));
    if (fresh) for (const role of own) seen.add(role);
    return fresh;
  };
}

/** One group for each wave of labels, then those that fit none. */
function splitByLabels(
  queue: Queue,
  waves: readonly Readonly<Record<string, string>>[],
): readonly Queue[] {
  const groups = [...waves, {}].map((): Candidate[] => []);
  for (const candidate of queue) {
    const first = waves.findIndex((labels) =>
      Object.entries(labels).every(([key, value]) => candidate.labels[key] === value),
    );
    groups.at(first)?.push(candidate);
  }
  return groups;
}

/** As many waves as the limits ask for. */
function drain(queue: Queue, limits: Limits): readonly Queue[] {
  const waves: Queue[] = [];
  for (let rest = queue; rest.length > 0;) {
    const [wave, later] = take(rest, rest.length, limits);
    waves.push(wave);
    rest = later;
  }
  return waves;
}

/** Up to `size` hosts from the front that the limits of one wave leave room for, and the others in their order. */
function take(
  queue: Queue,
  size: number,
  limits: Limits,
  wanted: (candidate: Candidate) => boolean = () => true,
): readonly [Queue, Queue] {
  const counts = new Map<string, number>();
  const [wave, rest]: [Candidate[], Candidate[]] = [[], []];
  for (const candidate of queue) {
    const roles = [...new Set(candidate.roles)];
    const fits = roles.every((role) => (counts.get(role) ?? 0) < (limits.get(role) ?? 0));
    if (wave.length >= size || !fits || !wanted(candidate)) {
      rest.push(candidate);
      continue;
    }
    wave.push(candidate);
    for (const role of roles) counts.set(role, (counts.get(role) ?? 0) + 1);
  }
  return [wave, rest];
}
