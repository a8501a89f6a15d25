/**
 * Tests that a document names, in the form `file`: "title"; "title". A title counts where it stands as a quoted
 * argument, so a renamed test is found at once.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface CitedTest {
  readonly file: string;
  readonly title: string;
}

/** A file's text by its path in the repository; undefined where there is none. */
export type ReadFile = (file: string) => string | undefined;

export const readerOf =
  (root: string): ReadFile =>
  (file) =>
    existsSync(join(root, file)) ? readFileSync(join(root, file), "utf8") : undefined;

/** In the order of the text. */
export function citedTests(cell: string): readonly CitedTest[] {
  return [...cell.matchAll(/`(test\/[^`]+\.ts)`: ((?:"[^"]+"(?:; )?)+)/g)].flatMap(
    ([, file = "", titles = ""]) =>
      [...titles.matchAll(/"([^"]+)"/g)].map(([, title = ""]) => ({ file, title })),
  );
}

/**
 * @param place begins each finding
 * @returns how many tests the text names, and what is wrong with them
 */
export function citationFindings(
  place: string,
  text: string,
  read: ReadFile,
): { readonly cited: number; readonly findings: readonly string[] } {
  const tests = citedTests(text);
  const quoted = [...text.matchAll(/"[^"]+"/g)].length;
  const unknown = tests.filter(({ file, title }) => read(file)?.includes(`"${title}",`) !== true);
  return {
    cited: tests.length,
    findings: [
      ...(tests.length === quoted ? [] : [`${place}: a title without its file`]),
      ...unknown.map(({ file, title }) => `${place}: no such test in ${file}: ${title}`),
    ],
  };
}
