/**
 * Goldens: an intent, the ruleset and nft text it becomes, and what a network person expects of it, side by side.
 * `write.ts` renews the derived files; nothing but a person writes verdicts.txt.
 */
import { mapClassMembers } from "#schema/ruleset.ts";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Rule } from "#schema/ruleset.ts";
import { Ruleset } from "#schema/ruleset.ts";
import { prepare } from "#core/simulate/index.ts";
import type { Golden } from "../support/goldens.ts";
import { catalogFile, derivedFiles, goldenGuard, readGoldens } from "../support/goldens.ts";
import type { VerdictLine } from "../support/verdicts.ts";

const goldens = readGoldens();

/** A judgement in the words of a verdict line, so that a difference reads like the file. */
const said = (text: string, verdict: string, row: string | null, tally: string | null) =>
  `${text} => ${verdict} ${row ?? "-"} ${tally ?? "-"}`;
const expected = (line: VerdictLine) => said(line.text, line.verdict, line.row, line.tally);
const judged = (ruleset: Ruleset, lines: readonly VerdictLine[]) => {
  const judge = prepare(ruleset, goldenGuard);
  return lines.map((line) => {
    const { verdict, row, tally } = judge(line.packet);
    return said(line.text, verdict, row, tally);
  });
};
const linesOf = (golden: Golden, host: string) =>
  golden.verdicts.filter((line) => line.host === host);

test("there are goldens, and each host of each is judged by some verdict line", () => {
  expect(goldens.length).toBeGreaterThanOrEqual(20);
  for (const golden of goldens)
    for (const host of golden.rulesets.keys())
      expect(linesOf(golden, host).length, `${golden.name} ${host}`).toBeGreaterThan(0);
});

test("the catalog of DESIGN.md compiles as it stands there", () => {
  const design = readFileSync(join(import.meta.dirname, "../../DESIGN.md"), "utf8");
  const [, example] = /```yaml\n(.*?)```/s.exec(design) ?? [];
  expect(readFileSync(join(import.meta.dirname, "10-catalog", catalogFile), "utf8")).toBe(example);
});

describe.each(goldens.map((golden) => [golden.name, golden] as const))("%s", (_, golden) => {
  test("the directory holds its intent, its verdicts and the derived files, and nothing else", () => {
    const files = ["intent.json", "verdicts.txt", ...derivedFiles(golden).keys()];
    const found = readdirSync(golden.directory).filter((file) => file !== catalogFile);
    expect(found.sort()).toEqual(files.sort());
  });

  test("intent compiles and renders to the files as they stand, byte for byte", () => {
    for (const [file, text] of derivedFiles(golden))
      expect(text, file).toBe(readFileSync(join(golden.directory, file), "utf8"));
  });

  test("every ruleset satisfies its type", () => {
    for (const ruleset of golden.rulesets.values()) expect(Ruleset.parse(ruleset)).toEqual(ruleset);
  });

  test("every packet gets the verdict, the row and the tally that were written by hand", () => {
    for (const [host, ruleset] of golden.rulesets) {
      const lines = linesOf(golden, host);
      expect(judged(ruleset, lines)).toEqual(lines.map(expected));
    }
  });

  test("no rule can be dropped without turning a verdict line red", () => {
    for (const [host, ruleset] of golden.rulesets) {
      const lines = linesOf(golden, host);
      const unnoticed = ruleset.rules
        .filter((_rule, index) => {
          const rules = ruleset.rules.toSpliced(index, 1);
          return judged({ ...ruleset, rules }, lines).every(
            (text, i) => text === expectedAt(lines, i),
          );
        })
        .filter((rule) => !pointless(ruleset, rule))
        .map((rule) => rule.row);
      expect(unnoticed, host).toEqual([]);
    }
  });
});

const expectedAt = (lines: readonly VerdictLine[], index: number): string | undefined => {
  const line = lines[index];
  return line === undefined ? undefined : expected(line);
};

/** A rule from nobody matches nothing, so no packet can tell whether it is there. */
const pointless = (ruleset: Ruleset, { source }: Rule): boolean => {
  switch (source.kind) {
    case "any":
      return false;
    case "set":
      return ruleset.sets.some((set) => set.name === source.set && set.elements.length === 0);
    case "class":
      return ![...(mapClassMembers(ruleset).get(source.map)?.values() ?? [])].includes(
        source.class,
      );
    case "set-except":
    case "not-set":
    case "own":
      throw new RangeError("goldens have no such source yet");
  }
};
