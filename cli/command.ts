/** What a command is, and how its arguments are read: strictly, so that a mistyped option never runs anything. */
import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import { Note } from "#schema/primitives.ts";
import { type ExitCode, type Output, UsageError } from "./output.ts";

export interface Context {
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly output: Output;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  readonly wait: (milliseconds: number) => Promise<void>;
}

export interface Command {
  /** The words that name it, such as `root init`. */
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** All that `--help` says after the summary. */
  readonly help: string;
  /** How it ends when called wrongly, where 2 is one of its answers. */
  readonly misused?: ExitCode;
  /** @throws UsageError, Failure */
  run(args: readonly string[], context: Context): Promise<ExitCode>;
}

/** @throws UsageError for an unknown option, a missing value or too many arguments */
export function readArguments<T extends ParseArgsOptionsConfig>(
  args: readonly string[],
  options: T,
  positionals: number,
) {
  const parsed = tryParse(args, options);
  if (parsed.positionals.length > positionals) throw new UsageError("too many arguments");
  return parsed;
}

function tryParse<T extends ParseArgsOptionsConfig>(args: readonly string[], options: T) {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: true });
  } catch (error) {
    // node's message quotes the option, and goes on to explain itself after the first sentence.
    throw new UsageError(error instanceof Error ? (error.message.split(". ")[0] ?? "") : "bad arguments");
  }
}

/** Reads a text that goes into a record, such as a reason. @throws UsageError */
export function note(option: string, text: string): string {
  const parsed = Note.safeParse(text);
  if (!parsed.success) throw new UsageError(`${option}: ${parsed.error.issues[0]?.message ?? "not a text"}`);
  return parsed.data;
}

/** @throws UsageError when the option is missing, or no whole number from 1 to `most` */
export function wholeNumber(option: string, text: string | undefined, most: number): number {
  if (text === undefined) throw new UsageError(`${option} is needed`);
  const number = /^[1-9]\d{0,5}$/.test(text) ? Number(text) : most + 1;
  if (number > most) throw new UsageError(`${option} is a number from 1 to ${most}`);
  return number;
}
