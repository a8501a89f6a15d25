/** Hexadecimal text. */

/** @param text whole bytes in lower-case hex, as a schema has seen to; anything else gives bytes of zero */
export const fromHex = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from({ length: text.length / 2 }, (_, at) =>
    Number.parseInt(text.slice(2 * at, 2 * at + 2), 16),
  );
