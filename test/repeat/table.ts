/** What came of many runs, for people: a row for each thing that was run and what ran beside it. */
import type { Run } from "./run.ts";

/** What the lab ends with when it can say neither (lab/run/options.ts). */
const tooBusy = 3;
const head = [
  "what",
  "beside",
  "runs",
  "right",
  "wrong",
  "too busy",
  "s min",
  "median",
  "max",
  "load",
];

export function tableOf(runs: readonly Run[]): string {
  const groups = [...Map.groupBy(runs, ({ name, beside }) => `${name} ${beside}`).values()];
  const rows = [head, ...groups.map(rowOf)];
  const widths = head.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows
    .map((row) =>
      row.map((cell, i) => (i < 2 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))),
    )
    .map((cells) => cells.join("  ").trimEnd())
    .join("\n");
}

function rowOf(runs: readonly Run[]): readonly string[] {
  const [first] = runs;
  const count = (test: (code: number | undefined) => boolean): string =>
    `${runs.filter(({ code }) => test(code)).length}`;
  const seconds = runs.map((run) => run.seconds).sort((a, b) => a - b);
  const at = (index: number): string => (seconds[index] ?? 0).toFixed(0);
  return [
    first?.name ?? "",
    first?.beside ?? "",
    `${runs.length}`,
    count((code) => code === 0),
    count((code) => code !== 0 && code !== tooBusy),
    count((code) => code === tooBusy),
    at(0),
    at(Math.floor(seconds.length / 2)),
    at(seconds.length - 1),
    (runs.reduce((sum, { load }) => sum + load, 0) / runs.length).toFixed(1),
  ];
}
