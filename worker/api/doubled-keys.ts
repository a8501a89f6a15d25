/**
 * Keys that stand twice in one JSON object. Readers differ in which of the two they take (RFC 8259 §4), so a request
 * that has one means nothing; `JSON.parse` takes the last without a word. One pass; the text need not be valid JSON.
 */

interface OpenObject {
  readonly keys: Set<string>;
  /** Where the reader is: the last key, and whether a string that comes now is one. */
  place: string;
  expectsKey: boolean;
}

interface OpenArray {
  readonly keys: undefined;
  place: number;
}

/**
 * The path of the first key that its object has twice, or that is `__proto__`, which readers take for something else;
 * undefined where there is none, and for a text that is not JSON before one is found.
 */
export function doubledKey(text: string): readonly (string | number)[] | undefined {
  const open: (OpenObject | OpenArray)[] = [];
  let at = 0;
  while (at < text.length) {
    const top = open.at(-1);
    const character: string = text.charAt(at);
    switch (character) {
      case "{":
        open.push({ keys: new Set(), place: "", expectsKey: true });
        break;
      case "[":
        open.push({ keys: undefined, place: 0 });
        break;
      case "}":
      case "]":
        open.pop();
        break;
      case ",":
        if (top?.keys === undefined) {
          if (top !== undefined) top.place += 1;
        } else top.expectsKey = true;
        break;
      case '"': {
        const end = endOfString(text, at);
        if (top?.keys !== undefined && top.expectsKey) {
          const key = decoded(text.slice(at, end));
          if (key === undefined) return undefined;
          top.place = key;
          top.expectsKey = false;
          if (key === "__proto__" || top.keys.has(key)) return open.map(({ place }) => place);
          top.keys.add(key);
        }
        at = end;
        continue;
      }
    }
    at += 1;
  }
  return undefined;
}

/** Behind the quote that ends the string which begins at `start`; the end of the text where none does. */
function endOfString(text: string, start: number): number {
  for (let quote = text.indexOf('"', start + 1); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let escapes = 0;
    while (text[quote - 1 - escapes] === "\\") escapes += 1;
    if (escapes % 2 === 0) return quote + 1;
  }
  return text.length;
}

function decoded(token: string): string | undefined {
  try {
    const value: unknown = JSON.parse(token);
    return typeof value === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}
