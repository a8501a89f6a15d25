/**
 * Signs the repositories of the hosts whose bundle changes, and of no other: equal bytes publish nothing (law 4). Where
 * operators sign targets, it says what they are to sign instead.
 * Blobs are stored first, under their hash; a commit that is then lost leaves bytes that nobody points to.
 */
import { operatorsSign, type Root } from "#schema/tuf.ts";
import type { Ports } from "#worker/ports/index.ts";
import {
  type Pending,
  type Proposed,
  proposeHost,
  type ProposeInput,
  type Published,
  publishHost,
  publishPending,
  type Repository,
  readRootInForce,
} from "#worker/signing/index.ts";
import { type Publications, readRepositories } from "./commit-rows.ts";
import { readPendings } from "./pending-rows.ts";
import type { ChangingHost } from "./changed.ts";

/** Hosts signed at once: their bundles are in memory together, and a Worker has six connections. */
const atOnce = 16;

/** @throws BundleTooLarge */
export async function publish(
  ports: Ports,
  revision: number,
  hosts: readonly ChangingHost[],
): Promise<Publications> {
  const made = {
    added: new Array<Repository>(),
    updated: new Array<Repository>(),
    pending: new Array<Pending>(),
  };
  const root = (await readRootInForce(ports.sql))?.signed;
  for (let start = 0; start < hosts.length; start += atOnce) {
    const some = hosts.slice(start, start + atOnce);
    const names = some.map(({ host }) => host);
    const previous = await readRepositories(ports.sql, names);
    const waiting = await readPendings(ports.sql, names);
    const signed = await Promise.all(
      some.map((changing) => {
        const { host } = changing;
        const before = { previous: previous.get(host), waiting: waiting.get(host) };
        return sign(ports, root, revision, changing, before);
      }),
    );
    const done = signed.filter((one) => one !== undefined);
    await storeBundles(ports, done);
    for (const one of done) {
      if ("pending" in one) made.pending.push(one.pending);
      else (previous.has(one.repository.host) ? made.updated : made.added).push(one.repository);
    }
  }
  return made;
}

type Signed = Published | Proposed;

async function sign(
  ports: Ports,
  root: Root | undefined,
  revision: number,
  { host, mode, ruleset }: ChangingHost,
  { previous, waiting }: Pick<ProposeInput, "previous" | "waiting">,
): Promise<Signed | undefined> {
  const { signer, settings } = ports;
  const { fleet, leaseSeconds } = settings;
  const input = {
    fleet,
    leaseSeconds,
    signer,
    now: ports.clock.now(),
    host,
    revision,
    mode,
    ruleset,
    previous,
  };
  // What waits from a time when operators signed has used its seq: the next one counts from there.
  if (root === undefined || !(operatorsSign(root) || waiting !== undefined))
    return publishHost(input);
  const proposed = await proposeHost({ ...input, root, waiting });
  if (proposed === undefined) return undefined;
  const repository = await publishPending({ ...input, root }, proposed.pending);
  return repository === undefined ? proposed : { repository, bundle: proposed.bundle };
}

async function storeBundles(ports: Ports, made: readonly Signed[]): Promise<void> {
  const blobs = new Map(
    made.map((one) => [
      ("pending" in one ? one.pending : one.repository).bundle_sha256,
      one.bundle,
    ]),
  );
  await Promise.all([...blobs].map(([sha256, bytes]) => ports.blobs.put(sha256, bytes)));
}
