/**
 * What only cryptography can say, asked one claim at a time: a judgement is a generator that yields claims and is told
 * whether each holds. So one judgement serves a runtime whose verifier answers at once (Node) and one whose verifier
 * gives promises (WebCrypto on Workers), in the same order and with the same outcome.
 */
import type { TufKey } from "#schema/tuf.ts";

/** That the holder of an Ed25519 key made this signature over these bytes. */
export interface Claim {
  readonly key: TufKey;
  /** 64 bytes in lower-case hex. */
  readonly sig: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export type ClaimCheck<T> = Generator<Claim, T, boolean>;

/** @throws what the judgement throws */
export function checkClaims<T>(judging: ClaimCheck<T>, holds: (claim: Claim) => boolean): T {
  let asked = judging.next();
  while (asked.done !== true) asked = judging.next(holds(asked.value));
  return asked.value;
}

/** @throws what the judgement throws */
export async function checkClaimsAsync<T>(
  judging: ClaimCheck<T>,
  holds: (claim: Claim) => Promise<boolean>,
): Promise<T> {
  let asked = judging.next();
  while (asked.done !== true) asked = judging.next(await holds(asked.value));
  return asked.value;
}
