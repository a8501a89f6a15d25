/**
 * The tables of test/FAULTS.md are true: every fault is there once and in order, and names tests that exist, or argues
 * why it is none, or says that it is open.
 */
import { citationFindings, type ReadFile, readerOf } from "./cited-tests.ts";

/** How many faults each part of the first hostile look found. */
const faultsOfPart = [13, 7, 8, 8, 13, 9, 9] as const;

const expected = faultsOfPart.flatMap((faults, part) =>
  Array.from({ length: faults }, (_, fault) => `${part + 1}.${fault + 1}`),
);

export function faultTableFindings(markdown: string, read: ReadFile): readonly string[] {
  const rows = [...markdown.matchAll(/^\| (\d+\.\d+) \|(.*)\|$/gm)];
  const found: string[] = [];
  if (rows.map(([, number]) => number).join() !== expected.join())
    found.push(`expected the faults ${expected[0]} to ${expected.at(-1)}, once each and in order`);
  for (const [, number, text = ""] of rows) {
    const { cited, findings } = citationFindings(`fault ${number}`, text, read);
    found.push(...findings);
    if (cited === 0 && !/\bArgued: ./.test(text))
      found.push(`fault ${number}: no test and no argument`);
  }
  return found;
}

export function faultFindings(root: string): readonly string[] {
  const read = readerOf(root);
  return faultTableFindings(read("test/FAULTS.md") ?? "", read).map(
    (finding) => `test/FAULTS.md: ${finding}`,
  );
}
