/**
 * Whether a host under a new ruleset still reaches what it must: the control plane, by a new connection, and what the
 * guard names. Established connections would hide a rule that lets no new one through, so none is used again.
 */
import { randomUUID } from "node:crypto";
import { connect } from "node:net";
import type { Probe } from "#schema/guard.ts";
import { type Outcome, settleOutcome, type Refusal, Refused } from "#agent/machine/refusal.ts";
import type { Client } from "#agent/transport/client.ts";

const wanted = 2;
const tries = 3;

export interface Proof {
  readonly client: Pick<Client, "confirm">;
  readonly probes: readonly Probe[];
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  /** For one try. */
  readonly tryMs: number;
  /** Ends everything: the time is up, or the agent is to stop. */
  readonly stop: AbortSignal;
}

/** Two of three tries must reach everything. @returns the last refusal otherwise */
export async function prove(proof: Proof): Promise<Outcome<undefined>> {
  let last: Refusal = { code: "probe_failed", message: "not tried" };
  for (let passed = 0, failed = 0; failed <= tries - wanted;) {
    const one = await settleOutcome(() => attempt(proof));
    if (!one.ok) {
      failed += 1;
      last = { code: "probe_failed", message: one.refusal.message };
    } else if (++passed === wanted) return { ok: true, value: undefined };
  }
  return { ok: false, refusal: last };
}

async function attempt({ client, probes, now, tryMs, stop }: Proof): Promise<void> {
  const cycle = AbortSignal.any([stop, AbortSignal.timeout(tryMs)]);
  const reached = probes.map((probe) => reach(probe, cycle));
  const all = await Promise.allSettled([client.confirm(randomUUID(), now(), cycle), ...reached]);
  for (const one of all) if (one.status === "rejected") throw one.reason;
}

/** Opens one TCP connection and closes it. @throws Refused `probe_failed` */
function reach({ host, port }: Probe, cycle: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal: cycle });
    socket.once("connect", () => {
      socket.destroy();
      resolve();
    });
    socket.once("error", () =>
      reject(new Refused("probe_failed", `cannot reach ${host} port ${port}`)),
    );
  });
}
