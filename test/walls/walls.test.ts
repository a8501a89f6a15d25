/**
 * A rule that was never seen red is a wish: each wall is broken in a copy of the house, and the check that holds it must
 * say so about that very file, while it finds nothing in all the files left alone.
 *
 * Breaches share a run of a tool where they cannot hide one another. A foreign import gets a run of tsc over its room
 * alone: tsc reports a foreign file once in a project, and such a file brings its own types along.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { breaches, passages, type Breach } from "./breaches.ts";
import {
  lintFindings,
  openScratch,
  roomFindings,
  typeFindings,
  withBreaches,
  type Finding,
  type Scratch,
} from "./scratch.ts";

const patienceMilliseconds = 900_000;

const seenByTypes = (breach: Breach): boolean =>
  breach.seenAs.some((code) => code.startsWith("TS"));
const foreign = (breach: Breach): boolean => breach.seenAs.includes("TS6307");
const lines = (findings: readonly Finding[]): readonly string[] =>
  findings.map((finding) => `${finding.file} ${finding.code} ${finding.message}`);

const found = new Map<Breach, Finding[]>();
const elsewhere: Finding[] = [];
let scratch: Scratch;

function judge(
  batch: readonly Breach[],
  tool: (scratch: Scratch) => readonly Finding[],
): readonly Finding[] {
  const result = withBreaches(scratch, batch, tool);
  for (const [breach, findings] of result.byBreach) {
    found.set(breach, [...(found.get(breach) ?? []), ...findings]);
  }
  return result.elsewhere;
}

beforeAll(() => {
  scratch = openScratch();
  const names = breaches.filter((breach) => seenByTypes(breach) && !foreign(breach));
  elsewhere.push(...judge([...names, ...passages], typeFindings));
  const linted = breaches.filter((breach) => !seenByTypes(breach));
  elsewhere.push(...judge([...linted, ...passages], lintFindings));
}, patienceMilliseconds);

afterAll(() => scratch.remove());

test("finds nothing in the rooms as they are", () => {
  expect(lines(elsewhere)).toEqual([]);
});

describe("refuses a breach", () => {
  test.each(breaches.map((breach) => ({ title: breach.title, breach })))("$title", ({ breach }) => {
    // One at a time here and not in the hook: a layer that says nothing for minutes is cut.
    if (foreign(breach)) judge([breach], (copy) => roomFindings(copy, breach.at));
    const codes = (found.get(breach) ?? []).map((finding) => finding.code);
    expect(codes.filter((code) => breach.seenAs.includes(code))).not.toEqual([]);
  });
});

describe("lets pass", () => {
  test.each(passages.map((passage) => ({ title: passage.title, passage })))(
    "$title",
    ({ passage }) => {
      expect(lines(found.get(passage) ?? [])).toEqual([]);
    },
  );
});
