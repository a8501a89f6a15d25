/**
 * So many at once, and so many a second: what one caller may ask of this isolate before anything of its request is read
 * or looked up. Kept in memory alone, for the callers that came last; what must hold everywhere is bounded in the store.
 */
import type { Clock } from "#worker/ports/index.ts";
import { Refused } from "#worker/lib/refused.ts";

export interface Allowance {
  readonly atOnce: number;
  readonly perSecond: number;
}

export interface Limiter {
  /** @throws Refused `too_many_requests`, with when to come again */
  admit(caller: string): void;
}

/** Callers that are remembered; beyond, the one that came first is forgotten and begins anew. */
const callersMax = 10_000;

export function openLimiter(clock: Clock, { atOnce, perSecond }: Allowance): Limiter {
  const used = new Map<string, { readonly level: number; readonly at: number }>();
  return {
    admit(caller) {
      const now = clock.now();
      const { level, at } = used.get(caller) ?? { level: 0, at: now };
      const left = Math.max(0, level - (Math.max(0, now - at) / 1000) * perSecond);
      if (left + 1 > atOnce) {
        const seconds = Math.ceil((left + 1 - atOnce) / perSecond);
        throw new Refused("too_many_requests", { headers: { "Retry-After": String(seconds) } });
      }
      used.delete(caller);
      const [oldest] = used.size < callersMax ? [] : used.keys();
      if (oldest !== undefined) used.delete(oldest);
      used.set(caller, { level: left + 1, at: now });
    },
  };
}
