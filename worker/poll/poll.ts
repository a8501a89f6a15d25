/**
 * What a host's poll is answered when the isolate's memory is not enough: the host's own repository, renewed when its
 * lease asks for it. Decides nothing about who may ask.
 */
import { sizeLimits } from "#schema/bundle.ts";
import { operatorsSign, type Root } from "#schema/tuf.ts";
import type { Seen, Update } from "#schema/wire.ts";
import { encodeBase64, utf8 } from "#worker/lib/encoding.ts";
import { hasTag } from "#worker/http/etag.ts";
import { makeRepositoryTag } from "./tag.ts";
import type { Limiter } from "#worker/http/limiter.ts";
import type { Ports } from "#worker/ports/index.ts";
import { Refused } from "#worker/lib/refused.ts";
import {
  type Floor,
  givesLeaseTo,
  findOutdated,
  renewLease,
  type Repository,
  readRootInForce,
  readRootsAfter,
} from "#worker/signing/index.ts";
import { readRepository, storeRenewal } from "#worker/served/index.ts";

export interface Poll {
  readonly host: string;
  readonly seen: Seen;
  /** Digest of the bundle that the host holds. */
  readonly bundle: string | undefined;
  readonly renew: boolean;
  readonly ifNoneMatch: string | undefined;
}

export interface Answer {
  readonly tag: string;
  /** undefined: nothing that the host does not have. */
  readonly update: Update | undefined;
}

/** Versions that a host may claim to have seen above ours; more is not a restored database but a broken host. */
const aheadMax = 2 ** 20;
/** Beyond, nothing that a host claims is followed: counting alone does not get there, and readers add exactly below 2^53. */
const versionMax = 2 ** 48;

/**
 * @param leaps how often a host's own word makes our versions leap
 * @throws Refused `root_missing` before the first root ceremony, `not_found` for a host that nothing was published for,
 * `too_many_requests`
 */
export async function answerPoll(ports: Ports, poll: Poll, leaps: Limiter): Promise<Answer> {
  const root = await readRootInForce(ports.sql);
  if (root === undefined) throw new Refused("root_missing");
  const repository = await readCurrentRepository(ports, poll, root.signed, leaps);
  const roots = await readRootsAfter(ports.sql, poll.seen.root, sizeLimits.newRoots);
  const tag = await makeRepositoryTag(repository);
  if (roots.length === 0 && hasTag(poll.ifNoneMatch, tag)) return { tag, update: undefined };
  const text = (exact: string): string => encodeBase64(utf8(exact));
  const update: Update = {
    roots: roots.map(({ body }) => text(body)),
    timestamp: text(repository.timestamp),
    snapshot: text(repository.snapshot),
    targets: text(repository.targets),
    ...(poll.bundle === repository.bundle_sha256
      ? {}
      : { bundle: await bundleOf(ports, repository) }),
  };
  return { tag, update };
}

/**
 * The repository, with its lease renewed when the host asks for that past half of it, has seen more than we know, or
 * would not take the keys that signed it.
 */
async function readCurrentRepository(
  ports: Ports,
  poll: Poll,
  root: Root,
  leaps: Limiter,
): Promise<Repository> {
  // A renewal is lost only to one that was stored, so twice is enough for what the host asks; more is bad luck.
  for (let tries = 0; tries < 5; tries += 1) {
    const previous = await readRepository(ports.sql, poll.host);
    if (previous === undefined) throw new Refused("not_found");
    const met = await meetSeen(poll, previous, root);
    const due = findRenewalDue(ports, met, previous, root);
    if (due === undefined || !(await givesLeaseTo(root, ports.signer))) return previous;
    if (due === "leap" && tries === 0) leaps.admit(poll.host);
    const renewed = await renewRepository(ports, root, previous, met.seen);
    if (renewed !== undefined) return renewed;
  }
  throw new Refused("busy");
}

/**
 * A host may have seen our very versions with other content: a database that was restored has come to the same numbers
 * anew. What it keeps names another tag for that version; then it has seen one more than we know, for it would take no
 * other content under numbers that it knows.
 */
async function meetSeen(poll: Poll, repository: Repository, root: Root): Promise<Poll> {
  const { seen, ifNoneMatch } = poll;
  if (ifNoneMatch === undefined || seen.timestamp !== repository.timestamp_version) return poll;
  if (hasTag(ifNoneMatch, await makeRepositoryTag(repository))) return poll;
  const targets = operatorsSign(root) ? seen.targets : Math.max(seen.targets, repository.seq) + 1;
  return { ...poll, seen: { ...seen, timestamp: seen.timestamp + 1, targets } };
}

/** Why, when it is: by our own time or keys, or because the host has seen more than we know. */
function findRenewalDue(
  ports: Ports,
  { renew, seen }: Poll,
  repository: Repository,
  root: Root,
): "own" | "leap" | undefined {
  const { lease_issued_at: from, lease_expires_at: to } = repository;
  if (renew && ports.clock.now() >= from + (to - from) / 2) return "own";
  const anew = findOutdated(root, repository);
  const claims: [seen: number, ours: number][] = [[seen.timestamp, repository.timestamp_version]];
  // What operators sign waits for them; here it would be due at every poll.
  if (operatorsSign(root)) anew.delete("targets");
  else claims.push([seen.targets, repository.seq]);
  if (anew.size > 0) return "own";
  const leaps = claims.some(
    ([theirs, ours]) => theirs > ours && theirs <= Math.min(ours + aheadMax, versionMax),
  );
  return leaps ? "leap" : undefined;
}

/**
 * Signs a fresh lease, and whatever else the root asks for, and stores it; the root must give the lease to this control
 * plane.
 * @returns undefined when somebody else changed the repository in between
 */
export async function renewRepository(
  ports: Ports,
  root: Root,
  previous: Repository,
  floor?: Floor,
): Promise<Repository | undefined> {
  const { fleet, leaseSeconds } = ports.settings;
  const now = ports.clock.now();
  const next = await renewLease({
    fleet,
    leaseSeconds,
    now,
    signer: ports.signer,
    previous,
    root,
    ...(floor === undefined ? {} : { floor }),
  });
  return (await storeRenewal(ports.sql, previous, next, now)) ? next : undefined;
}

async function bundleOf(ports: Ports, repository: Repository): Promise<string> {
  const bytes = await ports.blobs.get(repository.bundle_sha256);
  if (bytes === undefined) throw new Error("a published bundle is missing from the blobs");
  return encodeBase64(bytes);
}
