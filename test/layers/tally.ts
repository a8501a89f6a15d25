/**
 * Counts one layer's tests from the journal of its run. Deny by default: a test that was skipped or never ended, a file
 * that did not load or end, an error outside of tests, a run that was cut, without tests, without a journal or with a bad
 * exit code counts as failed. What had passed before stays counted.
 */
import { type Entry, readJournal } from "./journal.ts";

export interface Tally {
  readonly passed: number;
  readonly failed: number;
  /** One line for each thing that the run's own output does not call a failure. */
  readonly reasons: readonly string[];
}

/** How a run ended: by itself with an exit code, or `cut` for a reason. */
export type Ending = { readonly exitCode: number | null } | { readonly cut: string };

/** @param journal undefined when the run left none */
export function tally(journal: string | undefined, ending: Ending): Tally {
  if (journal === undefined)
    return { passed: 0, failed: 1, reasons: ["no journal", ...reasonOf(ending)] };
  const entries = readJournal(journal);
  const tests = of(entries, "test");
  const passed = tests.filter(({ state }) => state === "passed").length;
  const failedTests = tests.filter(({ state }) => state === "failed");
  const reasons = [
    ...tests
      .filter(({ state }) => state !== "passed" && state !== "failed")
      .map(({ name, state }) => `${state}, which counts as failed: ${name}`),
    ...neverEnded(entries),
    ...brokenFiles(entries),
    ...of(entries, "end").flatMap(({ errors }) =>
      errors > 0 ? [`${errors} errors outside of tests`] : [],
    ),
    ...(tests.length === 0 ? ["ran no test"] : []),
  ];
  const failed = failedTests.length + reasons.length;
  const end = "cut" in ending || failed === 0 ? reasonOf(ending) : [];
  const noEnd =
    of(entries, "end").length === 0 && end.length === 0 ? ["the run did not end by itself"] : [];
  return {
    passed,
    failed: failed + end.length + noEnd.length,
    reasons: [...reasons, ...end, ...noEnd],
  };
}

function of<K extends Entry["kind"]>(
  entries: readonly Entry[],
  kind: K,
): readonly Extract<Entry, { kind: K }>[] {
  return entries.filter((entry): entry is Extract<Entry, { kind: K }> => entry.kind === kind);
}

function reasonOf(ending: Ending): readonly string[] {
  if ("cut" in ending) return [`cut: ${ending.cut}`];
  return ending.exitCode === 0 ? [] : [`exit code ${ending.exitCode ?? "none"}`];
}

function neverEnded(entries: readonly Entry[]): readonly string[] {
  const ended = new Set(of(entries, "test").map(({ id }) => id));
  return of(entries, "collected").flatMap(({ tests }) =>
    tests.filter(({ id }) => !ended.has(id)).map(({ name }) => `never ended: ${name}`),
  );
}

/** Files that did not end, or failed though all of their tests passed. */
function brokenFiles(entries: readonly Entry[]): readonly string[] {
  const states = new Map(of(entries, "test").map(({ id, state }) => [id, state]));
  const collected = new Map(of(entries, "collected").map(({ file, tests }) => [file, tests]));
  const ended = new Map(of(entries, "file").map(({ file, state }) => [file, state]));
  return of(entries, "run")
    .flatMap(({ files }) =>
      files.filter((file) => {
        const ownFailure =
          collected.get(file)?.some(({ id }) => states.get(id) !== "passed") ?? false;
        return ended.get(file) !== "passed" && !ownFailure;
      }),
    )
    .map((file) => `did not run to its end: ${file}`);
}
