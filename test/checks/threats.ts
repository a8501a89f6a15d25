/**
 * The table of THREATS.md is true: every row is there, names tests that exist, or says what is open; and a refusal code
 * it names is one. A title counts where it stands as a quoted argument, so a renamed test is found at once.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { refusalCodes } from "#schema/errors.ts";

const rows = 35;

export interface CitedTest {
  readonly file: string;
  readonly title: string;
}

/** Tests in the form `file`: "title"; "title". In the order of the text. */
export function citedTests(cell: string): readonly CitedTest[] {
  return [...cell.matchAll(/`(test\/[^`]+\.ts)`: ((?:"[^"]+"(?:; )?)+)/g)].flatMap(
    ([, file = "", titles = ""]) =>
      [...titles.matchAll(/"([^"]+)"/g)].map(([, title = ""]) => ({ file, title })),
  );
}

/** @param read a file's text, or undefined where there is none */
export function tableFindings(
  markdown: string,
  read: (file: string) => string | undefined,
): readonly string[] {
  const cells = [...markdown.matchAll(/^\| (\d+) \|(.*)\|$/gm)];
  const found: string[] = [];
  const numbers = cells.map(([, number]) => Number(number));
  if (numbers.join() !== Array.from({ length: rows }, (_, index) => index + 1).join())
    found.push(`expected the rows 1 to ${rows}, once each and in order`);
  for (const [, number, text = ""] of cells) {
    const tests = citedTests(text);
    const quoted = [...text.matchAll(/"[^"]+"/g)].length;
    if (tests.length !== quoted) found.push(`row ${number}: a title without its file`);
    if (tests.length === 0 && !/\bOpen: ./.test(text)) found.push(`row ${number}: no test, and not open`);
    for (const { file, title } of tests)
      if (read(file)?.includes(`"${title}",`) !== true)
        found.push(`row ${number}: no such test in ${file}: ${title}`);
  }
  const codes: ReadonlySet<string> = new Set(refusalCodes);
  for (const [, code = ""] of markdown.matchAll(/`([a-z]+(?:_[a-z]+)+)`/g))
    if (!codes.has(code)) found.push(`no such refusal code: ${code}`);
  return found;
}

export function threatFindings(root: string): readonly string[] {
  const read = (file: string): string | undefined =>
    existsSync(join(root, file)) ? readFileSync(join(root, file), "utf8") : undefined;
  return tableFindings(read("THREATS.md") ?? "", read).map((finding) => `THREATS.md: ${finding}`);
}
