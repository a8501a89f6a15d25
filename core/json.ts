/**
 * Strict JSON for bytes that came from the network: what JSON.parse forgives is refused here, so that two readers of
 * the same bytes cannot disagree about them.
 *
 * Refused: bytes that are not UTF-8, a byte order mark, duplicate keys, nesting deeper than 32, any number that is
 * not a safe integer in plain form, lone surrogates, the key `__proto__`, anything after the value.
 */
const depthMax = 32;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };

/** A SyntaxError of this reader; its message says what was expected and at which character. */
export class StrictJsonError extends Error {}

/** @throws StrictJsonError */
export function parseStrict(bytes: Uint8Array): Json {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    throw new StrictJsonError("expected UTF-8");
  }
  const reader = new Reader(text);
  const value = reader.readValue(0);
  reader.end();
  return value;
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  readValue(depth: number): Json {
    if (depth > depthMax) throw this.#expected(`at most ${depthMax} levels`);
    this.#space();
    switch (this.#text[this.#at]) {
      case "{":
        return this.#object(depth);
      case "[":
        return this.#array(depth);
      case '"':
        return this.#string();
      default:
        return this.#scalar();
    }
  }

  end(): void {
    this.#space();
    if (this.#at !== this.#text.length) throw this.#expected("the end");
  }

  #object(depth: number): Json {
    const entries = new Map<string, Json>();
    this.#at++;
    if (this.#take("}")) return {};
    do {
      this.#space();
      if (this.#text[this.#at] !== '"') throw this.#expected("a key");
      const key = this.#string();
      if (entries.has(key) || key === "__proto__") throw this.#expected("no duplicate key");
      if (!this.#take(":")) throw this.#expected("':'");
      entries.set(key, this.readValue(depth + 1));
    } while (this.#take(","));
    if (!this.#take("}")) throw this.#expected("'}'");
    return Object.fromEntries(entries);
  }

  #array(depth: number): Json {
    const items: Json[] = [];
    this.#at++;
    if (this.#take("]")) return items;
    do items.push(this.readValue(depth + 1));
    while (this.#take(","));
    if (!this.#take("]")) throw this.#expected("']'");
    return items;
  }

  #string(): string {
    const start = this.#at++;
    for (;;) {
      const stop = this.#find(/["\\\p{Cc}]/gu);
      const character = this.#text[stop];
      if (character === '"') {
        this.#at = stop + 1;
        break;
      }
      // U+007F and above may stand unescaped (RFC 8259 §7); below U+0020 nothing may.
      if (character !== "\\" && (character === undefined || character < " "))
        throw this.#expected("a string");
      this.#at = stop + (character === "\\" ? 2 : 1);
    }
    const value = this.#native(this.#text.slice(start, this.#at));
    if (typeof value !== "string" || !value.isWellFormed())
      throw this.#expected("a well-formed string");
    return value;
  }

  #scalar(): Json {
    const [token] = this.#match(/true|false|null|-?(?:0|[1-9][0-9]{0,15})(?![0-9.eE])/y) ?? [];
    if (token === undefined) throw this.#expected("a value, numbers as plain integers");
    this.#at += token.length;
    const value = this.#native(token);
    if (typeof value === "number" && (!Number.isSafeInteger(value) || Object.is(value, -0)))
      throw this.#expected("a safe integer");
    return value;
  }

  /** Lets the engine read one token whose extent is known. */
  #native(token: string): null | boolean | number | string {
    try {
      const value: unknown = JSON.parse(token);
      if (value === null || ["boolean", "number", "string"].includes(typeof value))
        return value as null | boolean | number | string;
    } catch {
      // told apart below: the token was not what its first character promised
    }
    throw this.#expected("a valid token");
  }

  #take(character: string): boolean {
    this.#space();
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #space(): void {
    while (" \t\n\r".includes(this.#text[this.#at] ?? "x")) this.#at++;
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    return pattern.exec(this.#text);
  }

  #find(pattern: RegExp): number {
    return this.#match(pattern)?.index ?? this.#text.length;
  }

  #expected(what: string): StrictJsonError {
    return new StrictJsonError(`expected ${what} at character ${this.#at}`);
  }
}
