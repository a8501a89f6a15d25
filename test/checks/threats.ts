/**
 * The table of THREATS.md is true: every row is there, names tests that exist, or says what is open; and a refusal code
 * it names is one.
 */
import { refusalCodes } from "#schema/refusals.ts";
import { citationFindings, type ReadFile, readerOf } from "./cited-tests.ts";

/** How many rows there are. */
export const rows = 49;

export function tableFindings(markdown: string, read: ReadFile): readonly string[] {
  const cells = [...markdown.matchAll(/^\| (\d+) \|(.*)\|$/gm)];
  const found: string[] = [];
  const numbers = cells.map(([, number]) => Number(number));
  if (numbers.join() !== Array.from({ length: rows }, (_, index) => index + 1).join())
    found.push(`expected the rows 1 to ${rows}, once each and in order`);
  for (const [, number, text = ""] of cells) {
    const { cited, findings } = citationFindings(`row ${number}`, text, read);
    found.push(...findings);
    if (cited === 0 && !/\bOpen: ./.test(text)) found.push(`row ${number}: no test, and not open`);
  }
  const codes: ReadonlySet<string> = new Set(refusalCodes);
  for (const [, code = ""] of markdown.matchAll(/`([a-z]+(?:_[a-z]+)+)`/g))
    if (!codes.has(code)) found.push(`no such refusal code: ${code}`);
  return found;
}

export function threatFindings(root: string): readonly string[] {
  const read = readerOf(root);
  return tableFindings(read("THREATS.md") ?? "", read).map((finding) => `THREATS.md: ${finding}`);
}
