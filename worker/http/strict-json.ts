/**
 * What `JSON.parse` forgives and a request must not have: a key that stands twice in one object, of which readers differ
 * in the one they take (RFC 8259 §4), and a whole number spelt as `8e3` or `8080.0`, which nobody means to write. One
 * pass; the text need not be valid JSON.
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

export interface Forgiven {
  readonly what: "key" | "number";
  readonly path: readonly (string | number)[];
}

/**
 * The first key that its object has twice, or that is `__proto__`, which readers take for something else, or the first
 * number that is not plain; undefined where there is none, and for a text that is not JSON before one is found.
 */
export function findForgiven(text: string): Forgiven | undefined {
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
          const key = decodeToken(text.slice(at, end));
          if (key === undefined) return undefined;
          top.place = key;
          top.expectsKey = false;
          if (key === "__proto__" || top.keys.has(key))
            return { what: "key", path: open.map(({ place }) => place) };
          top.keys.add(key);
        }
        at = end;
        continue;
      }
      default: {
        const number = numberAt(text, at);
        if (number === undefined) break;
        if (!isPlain(number)) return { what: "number", path: open.map(({ place }) => place) };
        at += number.length;
        continue;
      }
    }
    at += 1;
  }
  return undefined;
}

function numberAt(text: string, start: number): string | undefined {
  const pattern = /-?\d[\d.eE+-]*/y;
  pattern.lastIndex = start;
  return pattern.exec(text)?.[0];
}

/** Whole numbers are digits and nothing else. */
const isPlain = (number: string): boolean =>
  /^-?\d+$/.test(number) || !Number.isInteger(Number(number));

/** Behind the quote that ends the string which begins at `start`; the end of the text where none does. */
function endOfString(text: string, start: number): number {
  for (let quote = text.indexOf('"', start + 1); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let escapes = 0;
    while (text[quote - 1 - escapes] === "\\") escapes += 1;
    if (escapes % 2 === 0) return quote + 1;
  }
  return text.length;
}

function decodeToken(token: string): string | undefined {
  try {
    const value: unknown = JSON.parse(token);
    return typeof value === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}
