/**
 * Which Ed25519 public keys may be pinned. A verifier that admits a low-order key accepts signatures that nobody made
 * (CCTV vectors; Node and workerd both do), and 32 bytes that are no point are a key that nobody can sign with, about
 * which runtimes differ when they read it. Such keys are refused before any of them is trusted.
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

/** The curve's d, -121665/121666 (RFC 8032 §5.1). */
const d = 0x52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3n;

/** Whether some x fits to y on the curve: x^2 = (y^2 - 1) / (d y^2 + 1) is a square, by Euler's criterion (RFC 8032 §5.1.3). */
function isOnCurve(y: bigint): boolean {
  const square = (y * y) % prime;
  const product = ((square - 1n + prime) * (d * square + 1n)) % prime;
  return product === 0n || computePower(product, (prime - 1n) / 2n) === 1n;
}

function computePower(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (
    let bits = exponent, square = base;
    bits > 0n;
    bits >>= 1n, square = (square * square) % prime
  )
    if ((bits & 1n) === 1n) result = (result * square) % prime;
  return result;
}

/** True for 32 bytes that encode, canonically (y < 2^255 - 19), a point that is not of low order. */
export function isPinnableKey(key: Uint8Array): boolean {
  if (key.length !== 32) return false;
  let y = 0n;
  for (let index = 31; index >= 0; index -= 1) y = (y << 8n) | BigInt(key[index] ?? 0);
  y &= (1n << 255n) - 1n;
  return y < prime && !lowOrder.includes(y) && isOnCurve(y);
}
