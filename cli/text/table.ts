/** Tables for people: a header, columns padded to their widest cell, nothing a terminal would obey. */
import { printable } from "./output.ts";

export type Cell = string | number | null;

/** Lines of a table; an empty or null cell shows as `-`. Widths are in code points. */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly Cell[])[],
): readonly string[] {
  const lines = [header, ...rows.map((row) => row.map(formatCell))];
  const widths = header.map((_, column) =>
    Math.max(...lines.map((line) => width(line[column] ?? ""))),
  );
  return lines.map((line) =>
    line
      .map((text, column) => text + " ".repeat((widths[column] ?? 0) - width(text)))
      .join("  ")
      .trimEnd(),
  );
}

/** Lines of `name  value`, for one thing with several properties. */
export function formatProperties(pairs: readonly (readonly [string, Cell])[]): readonly string[] {
  const widest = Math.max(0, ...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `${name.padEnd(widest)}  ${formatCell(value)}`);
}

function formatCell(cell: Cell): string {
  const text = cell === null ? "" : printable(String(cell));
  return text === "" ? "-" : text;
}

const width = (text: string): number => Array.from(text).length;

/** A stretch of milliseconds as people say it, such as `3h` or `2d`; never negative. */
export function formatSpan(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}
