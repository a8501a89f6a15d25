/**
 * What cron and the standalone timer call once a minute. Safe to call at any time and from several processes.
 *
 * Agents renew their own leases past half of them; this renews what nobody asked for, so that a plain TUF reader of a
 * silent host's repository does not find it expired, or signed by keys that the root no longer names: a lease that is
 * older than the root in force is renewed too. A bounded number each time, the soonest end first.
 *
 * Every part stands alone, and so does every rollout and host in it: one that fails is told, and the others go on.
 */
import { settlePending } from "#worker/cosign/index.ts";
import { openParts, type Part } from "#worker/lib/part.ts";
import type { Root } from "#schema/tuf.ts";
import type { Ports } from "#worker/ports/index.ts";
import { advanceIfNews, openRollouts } from "#worker/rollouts/index.ts";
import { renewRepository } from "#worker/poll/index.ts";
import {
  givesLeaseTo,
  type RootInForce,
  readRootInForce,
  findUnnamedRoles,
} from "#worker/signing/index.ts";
import { forgetAnswers } from "#worker/db/idempotency.ts";
import { forgetAssertions } from "#worker/hosts/index.ts";
import { listLeasesEndingBefore } from "#worker/served/index.ts";
import { sweepBlobs, sweepReports } from "./sweep.ts";

const renewedAtOnce = 100;

/** @throws Error that names what failed, after all else is done */
export async function maintain(ports: Ports): Promise<void> {
  const now = ports.clock.now();
  const { part, failed } = openParts("maintenance");
  await part("used assertions", () => forgetAssertions(ports.sql, now));
  await part("remembered answers", () => forgetAnswers(ports.sql, now));
  await part("old reports", () => sweepReports(ports));
  await part("old bundles", () => sweepBlobs(ports));
  await part("rollouts", async () => {
    for (const id of await openRollouts(ports.sql))
      await part(`rollout ${id}`, () => advanceIfNews(ports, id));
  });
  await part("leases and signatures", async () => {
    const root = await readRootInForce(ports.sql);
    if (root === undefined) return;
    await part("keys", () => assertNamed(ports, root.signed));
    if (!(await givesLeaseTo(root.signed, ports.signer))) return;
    await part("leases", () => renewUnasked(ports, root, now, part));
    await part("signatures", () => settlePending(ports, root, part));
  });
  if (failed.length > 0)
    throw new Error(`maintenance failed in part: ${failed.slice(0, 20).join(", ")}`);
}

/** What no host accepts must not pass in silence, on any adapter. */
async function assertNamed({ signer }: Ports, root: Root): Promise<void> {
  const unnamed = await findUnnamedRoles(root, signer);
  if (unnamed.length > 0)
    throw new Error(
      `root ${root.version} names other keys for ${unnamed.join(" and ")} than this control plane has: hosts accept nothing that these sign`,
    );
}

async function renewUnasked(
  ports: Ports,
  root: RootInForce,
  now: number,
  part: Part,
): Promise<void> {
  const lease = ports.settings.leaseSeconds * 1000;
  const before = Math.max(now + lease / 4, root.at + lease);
  const ending = await listLeasesEndingBefore(ports.sql, before, renewedAtOnce);
  // Losing to a publish or to the host's own renewal is as good as renewing.
  for (const previous of ending)
    await part(`the lease of host ${previous.host}`, () =>
      renewRepository(ports, root.signed, previous),
    );
}
