/**
 * Canonical bytes: the OLPC canonical JSON that TUF signs (TUF specification §4.2). One value has one encoding:
 * sorted keys, no white space, integers only.
 */
import { canonicalize } from "@tufjs/canonical-json";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** @throws TypeError for what the form cannot say: a fraction, undefined, a function. */
export function canonicalText(value: unknown): string {
  return canonicalize(value);
}

export function canonicalBytes(value: unknown): Uint8Array<ArrayBuffer> {
  return encoder.encode(canonicalText(value));
}

/**
 * Reads bytes that must be canonical, and proves it by encoding the value again: duplicate keys, white space, other
 * number forms and reordered keys all fail, so bytes and value cannot disagree.
 * @returns undefined when the bytes are anything else
 */
export function parseCanonical(bytes: Uint8Array): unknown {
  try {
    const text = decoder.decode(bytes);
    const value: unknown = JSON.parse(text);
    return canonicalText(value) === text ? value : undefined;
  } catch {
    return undefined;
  }
}
