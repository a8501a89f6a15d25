/**
 * Which Ed25519 public keys may be pinned. A verifier that admits a low-order key accepts signatures that nobody made
 * (CCTV vectors; Node and workerd both do), so such keys are refused before any of them is trusted.
 */

const prime = (1n << 255n) - 19n;

/** y of the eight points of order 1, 2, 4 and 8 (RFC 8032 §5.1; each y stands for both signs of x). */
const lowOrder: readonly bigint[] = [
  0n,
  1n,
  prime - 1n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n,
];

/** True for 32 bytes that encode, canonically (y < 2^255 - 19), a point that is not of low order. */
export function isPinnableKey(key: Uint8Array): boolean {
  if (key.length !== 32) return false;
  let y = 0n;
  for (let index = 31; index >= 0; index -= 1) y = (y << 8n) | BigInt(key[index] ?? 0);
  y &= (1n << 255n) - 1n;
  return y < prime && !lowOrder.includes(y);
}
