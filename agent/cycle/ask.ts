/**
 * One question to the control plane: what is believed afterwards, new or held. Decides what this host claims to have,
 * so that nothing it could not load is ever answered with "unchanged".
 */
import type { Parts } from "./parts.ts";
import { Refused } from "#agent/machine/refusal.ts";
import { seqOf } from "#agent/machine/read.ts";
import type { State } from "#agent/machine/state.ts";
import type { TrustedBundle } from "#agent/trust/index.ts";

/** What the control plane said last, for the next question and the pace of it. */
export interface PollHints {
  generation: string | null;
  pollAfter: string | undefined;
}

/** @returns what is believed now, new or held. @throws Refused */
export async function ask(
  { trust: opened, client, cycleMs, now: clock, clock: lease }: Parts,
  state: State,
  hints: PollHints,
  stop: AbortSignal,
): Promise<TrustedBundle> {
  if (!opened.ok) throw new Refused(opened.refusal.code, opened.refusal.message);
  const trust = opened.value;
  const now = clock();
  const held = trust.readHeld();
  const hint = trust.hint();
  // Only what was loaded is claimed with an ETag: a failed apply is fetched again (OPA #2220).
  const loaded = held !== undefined && seqOf(state) === held.custom.seq;
  const leaseStart = hint.accepted_at ?? 0;
  const reply = await client.poll(
    {
      seen: trust.readSeen(),
      bundle: held?.sha256,
      etag: loaded ? hint.etag : null,
      generation: loaded ? hints.generation : null,
      renew: held !== undefined && lease.now() > leaseStart + (held.leaseEndsAt - leaseStart) / 2,
    },
    now,
    AbortSignal.any([stop, AbortSignal.timeout(cycleMs)]),
  );
  hints.pollAfter = reply.pollAfter;
  if (reply.kind === "unchanged") {
    if (held === undefined || !loaded)
      throw new Refused("response_malformed", "304 without If-None-Match");
    hints.generation = reply.generation;
    return held;
  }
  const accepted = await trust.accept(reply.update, { ...reply.hint, accepted_at: now }, now);
  if (!accepted.ok) throw new Refused(accepted.refusal.code, accepted.refusal.message);
  hints.generation = reply.hint.generation;
  return accepted.value;
}
