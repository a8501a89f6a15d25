/**
 * SHA-256 of text (FIPS 180-4 §6.2), synchronous and pure: row ids are derived from content inside pure rooms, where
 * WebCrypto's promises have no place. Not for secrets, and not for anything that is signed: those go through WebCrypto.
 */
const encoder = new TextEncoder();

const primes: readonly number[] = Array.from({ length: 310 }, (_, i) => i + 2).filter((n) =>
  Array.from({ length: n - 2 }, (_, i) => i + 2).every((divisor) => n % divisor !== 0),
);

/** The first 32 bits of the fraction of a root (FIPS 180-4 §4.2.2, §5.3.3), exact: by integer roots. */
function computeFraction(prime: number, degree: 2n | 3n): number {
  const wanted = BigInt(prime) << (32n * degree);
  let root = 0n;
  for (let bit = 1n << 36n; bit > 0n; bit >>= 1n) if ((root + bit) ** degree <= wanted) root += bit;
  return Number(root & 0xffff_ffffn);
}

const initial = primes.slice(0, 8).map((prime) => computeFraction(prime, 2n));
const constants = Uint32Array.from(primes.slice(0, 64), (prime) => computeFraction(prime, 3n));

/** Lower-case hex. */
export function hashText(text: string): string {
  const state = Uint32Array.from(initial);
  const padded = pad(encoder.encode(text));
  for (let offset = 0; offset < padded.byteLength; offset += 64) hashBlock(state, padded, offset);
  return Array.from(state, (word) => word.toString(16).padStart(8, "0")).join("");
}

/** Ends in a one bit, zeros and the length in bits, a whole number of blocks. */
function pad(message: Uint8Array): DataView {
  const bytes = new Uint8Array(Math.ceil((message.length + 9) / 64) * 64);
  bytes.set(message);
  bytes[message.length] = 0x80;
  const view = new DataView(bytes.buffer);
  view.setBigUint64(bytes.length - 8, BigInt(message.length) * 8n);
  return view;
}

const rotate = (word: number, by: number): number => (word >>> by) | (word << (32 - by));
const at = (words: Uint32Array, index: number): number => words[index] ?? 0;

function hashBlock(state: Uint32Array, padded: DataView, offset: number): void {
  const words = scheduleOf(padded, offset);
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let round = 0; round < 64; round += 1) {
    const upper = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const first = (h + upper + ((e & f) ^ (~e & g)) + at(constants, round) + at(words, round)) | 0;
    const lower = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const second = (lower + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + first) | 0;
    d = c;
    c = b;
    b = a;
    a = (first + second) | 0;
  }
  [a, b, c, d, e, f, g, h].forEach((word, i) => (state[i] = at(state, i) + word));
}

function scheduleOf(padded: DataView, offset: number): Uint32Array {
  const words = new Uint32Array(64);
  for (let i = 0; i < 16; i += 1) words[i] = padded.getUint32(offset + i * 4);
  for (let i = 16; i < 64; i += 1) {
    const [early, late] = [at(words, i - 15), at(words, i - 2)];
    const low = rotate(early, 7) ^ rotate(early, 18) ^ (early >>> 3);
    const high = rotate(late, 17) ^ rotate(late, 19) ^ (late >>> 10);
    words[i] = at(words, i - 16) + low + at(words, i - 7) + high;
  }
  return words;
}
