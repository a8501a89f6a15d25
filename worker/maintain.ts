/**
 * What cron and the standalone timer call once a minute. Safe to call at any time and from several processes.
 *
 * Agents renew their own leases past half of them; this renews what nobody asked for, so that a plain TUF reader of a
 * silent host's repository does not find it expired, or signed by keys that the root no longer names: a lease that is
 * older than the root in force is renewed too. A bounded number each time, the soonest end first.
 */
import { tendPending } from "./cosign.ts";
import type { Ports } from "./ports.ts";
import { renewRepository } from "./poll.ts";
import { givesLeaseTo } from "./publish/signers.ts";
import { forgetAnswers } from "./store/idempotency.ts";
import { forgetAssertions } from "./store/identity.ts";
import { leasesEndingBefore } from "./store/lease.ts";
import { rootInForce, type RootInForce } from "./store/root.ts";

const renewedAtOnce = 100;

export async function maintain(ports: Ports): Promise<void> {
  const now = ports.clock.now();
  await forgetAssertions(ports.sql, now);
  await forgetAnswers(ports.sql, now);
  const root = await rootInForce(ports.sql);
  if (root === undefined || !(await givesLeaseTo(root.signed, ports.signer))) return;
  await renewUnasked(ports, root, now);
  await tendPending(ports, root);
}

async function renewUnasked(ports: Ports, root: RootInForce, now: number): Promise<void> {
  const lease = ports.settings.leaseSeconds * 1000;
  const before = Math.max(now + lease / 4, root.at + lease);
  const ending = await leasesEndingBefore(ports.sql, before, renewedAtOnce);
  // Losing to a publish or to the host's own renewal is as good as renewing.
  for (const previous of ending) await renewRepository(ports, root.signed, previous);
}
