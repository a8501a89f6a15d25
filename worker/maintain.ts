/**
 * What cron and the standalone timer call once a minute. Safe to call at any time and from several processes.
 *
 * Agents renew their own leases past half of them; this renews what nobody asked for, so that a plain TUF reader of a
 * silent host's repository does not find it expired. A bounded number each time, the soonest end first.
 */
import type { Ports } from "./ports.ts";
import { advanceAll } from "./release/advance.ts";
import { renewRepository } from "./poll.ts";
import { forgetAnswers } from "./store/idempotency.ts";
import { forgetAssertions } from "./store/identity.ts";
import { leasesEndingBefore } from "./store/lease.ts";

const renewedAtOnce = 100;

export async function maintain(ports: Ports): Promise<void> {
  const now = ports.clock.now();
  await forgetAssertions(ports.sql, now);
  await forgetAnswers(ports.sql, now);
  await advanceAll(ports);
  const quarter = (ports.settings.leaseSeconds * 1000) / 4;
  const ending = await leasesEndingBefore(ports.sql, now + quarter, renewedAtOnce);
  // Losing to a publish or to the host's own renewal is as good as renewing.
  for (const previous of ending) await renewRepository(ports, previous, { timestamp: 0, targets: 0 });
}
