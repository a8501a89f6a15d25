/** How the lab speaks: calm aligned lines. Colour only on a terminal and without NO_COLOR (no-color.org). */

type Tone = "plain" | "dim" | "bold" | "good" | "bad";

const codes: Readonly<Record<Tone, string>> = {
  plain: "",
  dim: "\u001b[2m",
  bold: "\u001b[1m",
  good: "\u001b[32m",
  bad: "\u001b[31m",
};
const reset = "\u001b[0m";

/** One cell of a line: text padded to `width` columns, then toned, so that colour never moves a column. */
export interface Cell {
  readonly text: string;
  readonly width?: number;
  readonly tone?: Tone;
}

export interface Printer {
  line(...cells: readonly (Cell | string)[]): void;
  heading(text: string): void;
  /** What is being done now; one line each. */
  progress(text: string): void;
}

export function makePrinter(out: NodeJS.WriteStream, env: NodeJS.ProcessEnv): Printer {
  const coloured = out.isTTY && (env["NO_COLOR"] ?? "") === "";
  const show = (cell: Cell | string): string => {
    if (typeof cell === "string") return cell;
    const text = cell.text.padEnd(cell.width ?? 0);
    const code = codes[cell.tone ?? "plain"];
    return coloured && code !== "" ? `${code}${text}${reset}` : text;
  };
  const printLine: Printer["line"] = (...cells) => {
    out.write(`${cells.map(show).join("").trimEnd()}\n`);
  };
  return {
    line: printLine,
    heading: (text) => {
      printLine("");
      printLine({ text, tone: "bold" });
    },
    progress: (text) => printLine({ text: `  ${text}`, tone: "dim" }),
  };
}
