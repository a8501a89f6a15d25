/** Lines with a colour each, printed without what a terminal would obey. */
import { type Output, paint, printable, type Tone } from "./output.ts";

/** A line and how it is coloured. */
export interface Line {
  readonly tone: Tone | undefined;
  readonly text: string;
}

export const line = (tone: Tone | undefined, text: string): Line => ({
  tone,
  text: text.trimEnd(),
});

/** Whoever wrote their words. */
export function printLines(output: Output, lines: readonly Line[]): void {
  for (const { tone, text } of lines) {
    const indent = /^ */.exec(text)?.[0] ?? "";
    const shown = indent + printable(text);
    output.line(tone === undefined ? shown : paint(output, tone, shown));
  }
}

export const plural = (count: number, what: string): string =>
  `${count} ${what}${count === 1 ? "" : "s"}`;

const namesMax = 20;

/** The first names of a list, and how many more there are. */
export const shortenNames = (names: readonly string[], most = namesMax): string =>
  [
    ...names.slice(0, most),
    ...(names.length > most ? [`and ${names.length - most} more`] : []),
  ].join(", ");
