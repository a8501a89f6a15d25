/**
 * Canonical bytes: the OLPC canonical JSON that TUF signs (TUF specification §4.2). One value has one encoding:
 * sorted keys, no white space, integers only.
 */
import { canonicalize } from "@tufjs/canonical-json";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** @throws TypeError for what the form cannot say: a fraction, undefined, a function. */
export function formatCanonical(value: unknown): string {
  return canonicalize(value);
}

export function encodeCanonical(value: unknown): Uint8Array<ArrayBuffer> {
  return encoder.encode(formatCanonical(value));
}

/**
 * Deepest nesting that is read; what we sign is less than ten deep. To encode a value costs its size once for each
 * level above it: 4 MiB in 3,000 levels took 25 s.
 */
const depthMax = 32;

/** Whether text nests deeper, by its brackets outside of strings. */
function isTooDeep(text: string): boolean {
  let depth = 0;
  let isString = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (isString) {
      if (code === backslash) at += 1;
      else if (code === quote) isString = false;
    } else if (code === quote) isString = true;
    else if (code === openBracket || code === openBrace) {
      depth += 1;
      if (depth > depthMax) return true;
    } else if (code === closeBracket || code === closeBrace) depth -= 1;
  }
  return false;
}

const [quote, backslash] = [0x22, 0x5c];
const [openBracket, closeBracket, openBrace, closeBrace] = [0x5b, 0x5d, 0x7b, 0x7d];

/**
 * Reads bytes that must be canonical, and proves it by encoding the value again: duplicate keys, white space, other
 * number forms and reordered keys all fail, so bytes and value cannot disagree. Nesting deeper than 32 fails too.
 * @returns undefined when the bytes are anything else
 */
export function parseCanonical(bytes: Uint8Array): unknown {
  try {
    const text = decoder.decode(bytes);
    if (isTooDeep(text)) return undefined;
    const value: unknown = JSON.parse(text);
    return formatCanonical(value) === text ? value : undefined;
  } catch {
    return undefined;
  }
}
