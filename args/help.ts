/** Help, from what commands declare; no line is longer than a terminal of 80 columns. */
import {
  type Flag,
  type Options,
  type Positionals,
  type Spec,
  type Value,
  wordsOf,
} from "./spec.ts";

const width = 80;
/** Where the text beside an option begins. */
const column = 22;

/** All that a command says of itself. */
export function helpOf(program: string, spec: Spec): string {
  const sections = [
    wrapText(usageOf(program, spec), width, "    "),
    ...(spec.about ?? [`${capital(spec.summary)}.`]).map((text) => wrapText(text, width, "")),
    optionLines(spec.options),
    ...(spec.examples.length === 0
      ? []
      : [["Examples:", ...spec.examples.map((line) => `  ${program} ${line}`)]]),
    ...(spec.exits === undefined ? [] : [wrapText(`Exit codes: ${spec.exits}`, width, "")]),
  ];
  return sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n");
}

function usageOf(program: string, { name, positionals, options }: Spec): string {
  const needed = Object.entries(options).flatMap(([key, option]) =>
    option.kind === "value" && option.required === true ? [`${formatOption(key, option)}`] : [],
  );
  const words = [program, ...wordsOf(name), ...placesOf(positionals), ...needed];
  return [...words, "[OPTIONS]"].join(" ");
}

const placesOf = (positionals: Positionals): readonly string[] =>
  Object.values(positionals).map(({ value, required, many }) => {
    const text = many === true ? `${value} ...` : value;
    return required === true ? text : `[${text}]`;
  });

const formatOption = (name: string, option: Flag | Value): string => {
  const dashes =
    option.short === undefined
      ? `--${name}`
      : `-${option.short}${name.length === 1 ? "" : `, --${name}`}`;
  return option.kind === "flag" ? dashes : `${dashes} ${option.value}`;
};

const optionLines = (options: Options): readonly string[] =>
  Object.entries(options).flatMap(([name, option]) =>
    formatBeside(`  ${formatOption(name, option)}`, option.help),
  );

/** A name and what it means beside it, or below where the name is long. */
function formatBeside(name: string, text: string): readonly string[] {
  const lines = wrapText(text, width - column, "");
  const indented = lines.map((line) => " ".repeat(column) + line);
  if (name.length > column - 2) return [name, ...indented];
  return [name.padEnd(column) + (lines[0] ?? ""), ...indented.slice(1)];
}

/** Lines of at most `most` characters; those after the first begin with `indent`. */
function wrapText(text: string, most: number, indent: string): readonly string[] {
  const lines: string[] = [];
  for (const paragraph of text.split("\n")) {
    let line = "";
    for (const word of paragraph.split(" ")) {
      const longer = line === "" ? word : `${line} ${word}`;
      if (longer.length <= most || line === "" || line === indent) line = longer;
      else {
        lines.push(line);
        line = indent + word;
      }
    }
    lines.push(line);
  }
  return lines;
}

/** A text in lines that fit. */
export const paragraph = (text: string): string => wrapText(text, width, "").join("\n");

const capital = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;

/** A list of commands, each with its line. */
export function formatCommands(specs: readonly Spec[]): readonly string[] {
  const widest = Math.max(...specs.map(({ name }) => name.length));
  return specs.flatMap(({ name, summary }) => {
    const lines = wrapText(summary, width - widest - 4, "");
    return lines.map((line, i) => `  ${(i === 0 ? name : "").padEnd(widest)}  ${line}`);
  });
}
