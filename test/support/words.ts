/** The words after `npm run PROGRAM --`, for the long runs of test/: read by one schema, refused with the word named. */
import { parseArgs } from "node:util";
import * as z from "zod";

/**
 * Ends the process: with 0 after `help` where it is asked for, with 2 for a word that the schema does not know or take.
 * An option whose schema is a boolean with a default is a flag; every other takes a text.
 */
export function readWords<S extends z.ZodObject>(help: string, schema: S): z.output<S> {
  const options = Object.fromEntries(
    Object.entries(schema.shape).map(([name, option]) => [
      name,
      { type: isFlag(option) ? ("boolean" as const) : ("string" as const) },
    ]),
  );
  // Not strict here: the schema refuses what it does not know, in one form.
  const { values, positionals } = parseArgs({
    strict: false,
    options: { ...options, help: { type: "boolean", short: "h" } },
  });
  const { help: asked, ...given } = values;
  if (asked === true) {
    console.log(help);
    process.exit(0);
  }
  const words = schema.safeParse(given);
  if (words.success && positionals.length === 0) return words.data;
  const why = words.success ? `unexpected: ${positionals.join(" ")}` : z.prettifyError(words.error);
  console.error(`${why}\n\n${help}`);
  process.exit(2);
}

const isFlag = (option: unknown): boolean =>
  option instanceof z.ZodDefault && option.unwrap() instanceof z.ZodBoolean;
