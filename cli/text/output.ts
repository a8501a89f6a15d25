/** What the command line says: one line per error, no secrets, colours only where a person reads them. */
import { createInterface } from "node:readline/promises";
import { isatty, type WriteStream } from "node:tty";

/** Something went wrong that the message says in one sentence. */
export class Failure extends Error {
  override readonly name: string = "Failure";
}

/** Several things went wrong, each said in one line. */
export class Failures extends Failure {
  override readonly name = "Failures";
  readonly lines: readonly string[];

  constructor(lines: readonly string[]) {
    super(lines.join("; "));
    this.lines = lines;
  }
}

export interface Output {
  readonly colours: boolean;
  /** A line of the result, on stdout. */
  line(text: string): void;
  /** One line on stderr. */
  error(text: string): void;
  /** Shows lines in place of those that it showed before; undefined where nobody looks at a terminal. */
  readonly redraw: ((lines: readonly string[]) => void) | undefined;
  /** Asks a person yes or no; undefined where nobody can answer. */
  readonly confirm: ((question: string) => Promise<boolean>) | undefined;
}

/** NO_COLOR (no-color.org), TERM=dumb and a pipe each turn colours off. */
export const wantsColours = (env: Readonly<NodeJS.ProcessEnv>, isTerminal: boolean): boolean =>
  isTerminal && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";

/** The process's own streams. */
export function openTerminal(env: Readonly<NodeJS.ProcessEnv>): Output {
  const { stdin, stdout, stderr } = process;
  return {
    colours: wantsColours(env, isatty(stdout.fd)),
    line: (text) => void stdout.write(`${text}\n`),
    error: (text) => void stderr.write(`${printable(text)}\n`),
    redraw: isatty(stdout.fd) && env["TERM"] !== "dumb" ? makeRedrawer(stdout) : undefined,
    confirm: isatty(stdin.fd) && isatty(stderr.fd) ? askOnTerminal : undefined,
  };
}

/** Cut to the terminal, but for the last line: what wrapped or scrolled away could not be drawn over. */
function makeRedrawer(stdout: WriteStream): (lines: readonly string[]) => void {
  let shown = 0;
  return (lines) => {
    const fits = Math.max(2, stdout.rows - 1);
    const kept = lines.length > fits ? [...lines.slice(0, fits - 1), ...lines.slice(-1)] : lines;
    const cut = kept.map((text) =>
      Array.from(text)
        .slice(0, Math.max(20, stdout.columns - 1))
        .join(""),
    );
    const up = shown === 0 ? "" : `\u001b[${shown}A\u001b[0J`;
    stdout.write(`${up}${cut.map((text) => `${text}\n`).join("")}`);
    shown = cut.length;
  };
}

async function askOnTerminal(question: string): Promise<boolean> {
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(?:es)?$/i.test((await prompt.question(`${question} [y/N] `)).trim());
  } finally {
    prompt.close();
  }
}

/** On one line and without what a terminal would obey, whoever wrote it. */
export const printable = (text: string): string =>
  text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, " ").trim();

const tones = { added: 32, changed: 33, removed: 31, dim: 2 } as const;
export type Tone = keyof typeof tones;

export const paint = (output: Output, tone: Tone, text: string): string =>
  output.colours ? `\u001b[${tones[tone]}m${text}\u001b[0m` : text;
