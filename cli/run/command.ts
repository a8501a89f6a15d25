/** What a command of the operator's command line is, and how texts and numbers in its options are read. */
import type { ExitCode } from "#args/exits.ts";
import { UsageError } from "#args/exits.ts";
import { readArgs } from "#args/read.ts";
import { flag, type Given, type Options, type Positionals, type Spec, value } from "#args/spec.ts";
import { Note } from "#schema/primitives.ts";
import type { Output } from "#cli/text/output.ts";

export interface Context {
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly output: Output;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  readonly wait: (milliseconds: number) => Promise<void>;
}

export interface Command {
  readonly spec: Spec;
  /** How it ends when called wrongly, where 2 is one of its answers. */
  readonly misused?: ExitCode;
  /** @throws UsageError, Failure */
  run(args: readonly string[], context: Context): Promise<ExitCode>;
}

/** A command that reads its arguments by what it declares. */
export const command = <const O extends Options, const P extends Positionals>(
  spec: Spec<O, P> & { readonly misused?: ExitCode },
  run: (given: Given<O, P>, context: Context) => Promise<ExitCode>,
): Command => ({
  spec,
  ...(spec.misused === undefined ? {} : { misused: spec.misused }),
  run: (args, context) => run(readArgs(spec, args), context),
});

export const behalfOption = value("WHO", "for whom; a claim, recorded beside the token's own name");
export const jsonOption = { json: flag("the answer as JSON") } as const;

/** Prints a list or one thing: as JSON on one line, or as lines for people. */
export function print(
  { output }: Context,
  json: boolean,
  answer: unknown,
  lines: () => readonly string[],
): void {
  for (const text of json ? [JSON.stringify(answer)] : lines()) output.line(text);
}

/** Reads a text that goes into a record, such as a reason. @throws UsageError */
export function note(option: string, text: string): string {
  const parsed = Note.safeParse(text);
  if (!parsed.success)
    throw new UsageError(`${option}: ${parsed.error.issues[0]?.message ?? "not a text"}`);
  return parsed.data;
}

/** For whom, as a request says it; nothing where it was not said. @throws UsageError */
export const onBehalfOf = (text: string | undefined): { on_behalf_of?: string } =>
  text === undefined ? {} : { on_behalf_of: note("--on-behalf-of", text) };

/** @throws UsageError when it is no whole number from 1 to `most` */
export function parseWholeNumber(option: string, text: string, most: number): number {
  const number = /^[1-9]\d{0,5}$/.test(text) ? Number(text) : most + 1;
  if (number > most) throw new UsageError(`${option} is a number from 1 to ${most}`);
  return number;
}

/** Reads a revision as people write it, `7` or `r7`. @throws UsageError */
export function parseRevisionNumber(text: string): number {
  const digits = /^r?([1-9]\d{0,14})$/.exec(text)?.[1];
  if (digits === undefined) throw new UsageError("a revision is a number, as r12 or 12");
  return Number(digits);
}
