/**
 * Signs the repositories of the hosts whose bundle changes, and of no other: equal bytes publish nothing (law 4).
 * Blobs are stored first, under their hash; a commit that is then lost leaves bytes that nobody points to.
 */
import type { Ports } from "../ports.ts";
import { publishHost } from "../publish/index.ts";
import type { Published, Repository } from "../publish/types.ts";
import { readRepositories } from "../store/commit.ts";
import type { ChangingHost } from "./changed.ts";

export interface Publications {
  /** First repositories of hosts that had none. */
  readonly added: readonly Repository[];
  readonly updated: readonly Repository[];
}

/** Hosts signed at once: their bundles are in memory together, and a Worker has six connections. */
const atOnce = 16;

/** @throws BundleTooLarge */
export async function publish(
  ports: Ports,
  revision: number,
  hosts: readonly ChangingHost[],
): Promise<Publications> {
  const added: Repository[] = [];
  const updated: Repository[] = [];
  for (let start = 0; start < hosts.length; start += atOnce) {
    const some = hosts.slice(start, start + atOnce);
    const previous = await readRepositories(
      ports.sql,
      some.map(({ host }) => host),
    );
    const published = await Promise.all(
      some.map((changing) => sign(ports, revision, changing, previous.get(changing.host))),
    );
    const made = published.filter((one) => one !== undefined);
    await storeBundles(ports, made);
    for (const { repository } of made) (previous.has(repository.host) ? updated : added).push(repository);
  }
  return { added, updated };
}

const sign = (
  ports: Ports,
  revision: number,
  { host, mode, ruleset }: ChangingHost,
  previous: Repository | undefined,
): Promise<Published | undefined> =>
  publishHost({
    fleet: ports.settings.fleet,
    host,
    revision,
    now: ports.clock.now(),
    leaseSeconds: ports.settings.leaseSeconds,
    signer: ports.signer,
    mode,
    ruleset,
    previous,
  });

async function storeBundles(ports: Ports, published: readonly Published[]): Promise<void> {
  const blobs = new Map(published.map(({ repository, bundle }) => [repository.bundle_sha256, bundle]));
  await Promise.all([...blobs].map(([sha256, bytes]) => ports.blobs.put(sha256, bytes)));
}
