/** The test runner must not be able to call a run green that proved less than it was asked to. */
import { expect, test } from "vitest";
import type { Entry } from "../layers/journal.ts";
import { type Ending, tally } from "../layers/tally.ts";

type State = Extract<Entry, { kind: "test" }>["state"];

const collected = (file: string, count: number): Entry => ({
  kind: "collected",
  file,
  tests: Array.from({ length: count }, (_, i) => ({
    id: `${file} ${i}`,
    name: `${file} > test ${i}`,
  })),
});
const ended = (file: string, ...states: readonly State[]): readonly Entry[] =>
  states.map((state, i) => ({
    kind: "test",
    id: `${file} ${i}`,
    name: `${file} > test ${i}`,
    state,
  }));
/** A file whose tests all ended, and how it ended itself. */
const file = (name: string, state: State, ...states: readonly State[]): readonly Entry[] => [
  collected(name, states.length),
  ...ended(name, ...states),
  { kind: "file", file: name, state },
];
const text = (...entries: readonly Entry[]): string =>
  entries.map((entry) => `${JSON.stringify(entry)}\n`).join("");
const run = (files: readonly string[], ...entries: readonly Entry[]): string =>
  text({ kind: "run", files: [...files] }, ...entries);
const end: Entry = { kind: "end", errors: 0 };
const well: Ending = { exitCode: 0 };
const badly: Ending = { exitCode: 1 };
const silence: Ending = { cut: "no output for 180 s" };

test.each([
  [
    "counts what passed and what failed",
    run(["a"], ...file("a", "failed", "passed", "failed"), end),
    badly,
    1,
    1,
  ],
  [
    "is green only when every test passed",
    run(["a"], ...file("a", "passed", "passed", "passed"), end),
    well,
    2,
    0,
  ],
  [
    "counts a skipped test as failed",
    run(["a"], ...file("a", "passed", "passed", "skipped"), end),
    well,
    1,
    1,
  ],
  [
    "counts a pending test as failed",
    run(["a"], ...file("a", "passed", "pending", "passed"), end),
    well,
    1,
    1,
  ],
  [
    "counts a file that did not load as failed",
    run(["a", "b"], ...file("a", "failed"), ...file("b", "passed", "passed"), end),
    badly,
    1,
    1,
  ],
  [
    "counts a file that was never opened as failed",
    run(["a", "b"], ...file("b", "passed", "passed"), end),
    well,
    1,
    1,
  ],
  [
    "counts a suite whose hook failed after its tests as failed",
    run(["a"], ...file("a", "failed", "passed"), end),
    badly,
    1,
    1,
  ],
  [
    "counts an error outside of tests as failed",
    run(["a"], ...file("a", "passed", "passed"), { kind: "end", errors: 1 }),
    badly,
    1,
    1,
  ],
  ["counts a run without tests as failed", run([], end), well, 0, 1],
  [
    "counts a bad exit code as failed though every test passed",
    run(["a"], ...file("a", "passed", "passed"), end),
    badly,
    1,
    1,
  ],
  [
    "counts a killed run as failed though every test passed",
    run(["a"], ...file("a", "passed", "passed"), end),
    { exitCode: null },
    1,
    1,
  ],
  [
    "counts a run that never ended as failed though every test passed",
    run(["a"], ...file("a", "passed", "passed")),
    well,
    1,
    1,
  ],
  ["counts a run without a journal as failed", undefined, badly, 0, 1],
  [
    "counts what had passed before a run was cut, and the cut, the test and the file as failed",
    run(
      ["a", "b"],
      ...file("a", "passed", "passed", "passed"),
      collected("b", 2),
      ...ended("b", "passed"),
    ),
    silence,
    3,
    2,
  ],
  [
    "reads a journal whose last line was cut off",
    `${run(["a"], collected("a", 2), ...ended("a", "passed"))}{"kind":"te`,
    silence,
    1,
    2,
  ],
] as const)("%s", (_title, journal, ending, passed, failed) => {
  expect(tally(journal, ending)).toMatchObject({ passed, failed });
});

test("a cut run says why, and what it did not come to", () => {
  const journal = run(["a", "b"], ...file("a", "passed", "passed"), collected("b", 1));
  expect(tally(journal, silence).reasons).toEqual([
    "never ended: b > test 0",
    "cut: no output for 180 s",
  ]);
});
