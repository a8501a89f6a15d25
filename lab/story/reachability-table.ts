/** The reachability table: a line for what is open at one machine by one row, with everybody who may come in. */
import { asks } from "./questions.ts";
import type { Printer } from "#lab/run/print.ts";
import type { LabFamily, Probe } from "#lab/net/probe.ts";
import type { Station } from "#lab/net/network.ts";

/** One probe in one family. */
export interface Finding {
  readonly probe: Probe<Station>;
  readonly family: LabFamily;
  readonly packet: "accept" | "drop";
  readonly simulated: string;
  readonly expected: "accept" | "drop";
  readonly row: string;
}

/** What is open, as text: the same line is the same fact. */
export interface OpenLine {
  readonly to: string;
  readonly from: string;
  /** Such as `tcp/443`, or `everything` that was asked. */
  readonly asked: string;
  /** Families in which packets came back. */
  readonly packet: string;
  readonly simulated: string;
  readonly row: string;
}

const joinWords = (words: readonly string[]): string => [...new Set(words)].join(" ");
const familiesWhere = (findings: readonly Finding[], open: (finding: Finding) => boolean): string =>
  joinWords(findings.filter(open).map(({ family }) => family)) || "none";

/** Both families of a probe on one line, then all that one row opens from one machine, then everybody it opens it to. */
function openLines(findings: readonly Finding[]): readonly OpenLine[] {
  const open = findings.filter(
    ({ packet, simulated }) => packet === "accept" || simulated === "accept",
  );
  const probes = merge(
    open,
    ({ probe }) => `${probe.to.name} ${probe.from.name} ${probe.ask.text}`,
  ).map((both): OpenLine => {
    const [first] = both;
    return {
      to: first.probe.to.name,
      from: first.probe.from.name,
      asked: first.probe.ask.text,
      packet: familiesWhere(both, ({ packet }) => packet === "accept"),
      simulated: familiesWhere(both, ({ simulated }) => simulated === "accept"),
      row: joinWords(both.map(({ row }) => row)),
    };
  });
  const rest = ({ packet, simulated, row }: OpenLine): string => `${packet}|${simulated}|${row}`;
  const asked = merge(probes, (line) => `${line.to}|${line.from}|${rest(line)}`).map(
    (lines): OpenLine => {
      const text =
        lines.length === asks.length ? "everything" : joinWords(lines.map((line) => line.asked));
      return { ...lines[0], asked: text };
    },
  );
  return merge(asked, (line) => `${line.to}|${line.asked}|${rest(line)}`).map((lines) => ({
    ...lines[0],
    from: joinWords(lines.map(({ from }) => from)),
  }));
}

type NonEmpty<T> = readonly [T, ...T[]];

/** Groups in the order in which each first appears. */
function merge<T>(items: readonly T[], key: (item: T) => string): readonly NonEmpty<T>[] {
  return [...Map.groupBy(items, key).values()].flatMap(([first, ...rest]) =>
    first === undefined ? [] : [[first, ...rest] as const],
  );
}

const widths = { to: 11, asked: 15, from: 58, packet: 9, simulated: 10 } as const;
const headings: OpenLine = {
  to: "to",
  asked: "open",
  from: "from",
  packet: "packets",
  simulated: "simulate",
  row: "decided by",
};

/** Prints all that is open, or with `before` only lines that were not there (`+`) or are there no more (`-`). */
export function printOpen(
  print: Printer,
  findings: readonly Finding[],
  before: readonly OpenLine[] | undefined,
): readonly OpenLine[] {
  const lines = openLines(findings);
  printLine(print, " ", headings, "dim");
  if (before === undefined) for (const line of lines) printLine(print, " ", line, "plain");
  else {
    const hasLine = (list: readonly OpenLine[], line: OpenLine): boolean =>
      list.some((other) => JSON.stringify(other) === JSON.stringify(line));
    for (const line of before) if (!hasLine(lines, line)) printLine(print, "-", line, "dim");
    for (const line of lines) if (!hasLine(before, line)) printLine(print, "+", line, "plain");
  }
  return lines;
}

function printLine(print: Printer, mark: string, line: OpenLine, tone: "dim" | "plain"): void {
  const good = tone === "dim" ? "dim" : "good";
  print.line(
    { text: `${mark} ${line.to}`, width: widths.to, tone },
    { text: line.asked, width: widths.asked, tone },
    { text: line.from, width: widths.from, tone },
    { text: line.packet, width: widths.packet, tone: good },
    { text: line.simulated, width: widths.simulated, tone: good },
    { text: line.row, tone: "dim" },
  );
}

/** Every probe on which packet, simulation and expectation do not say the same. */
export function printDifferences(print: Printer, findings: readonly Finding[]): void {
  for (const { probe, family, packet, simulated, expected, row } of findings)
    print.line(
      { text: "  DIFFERS ", tone: "bad" },
      `${probe.from.name} to ${probe.to.name} ${probe.ask.text} ${family}: `,
      `packet ${packet}, simulate ${simulated}, expected ${expected} (${row})`,
    );
}
