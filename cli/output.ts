/** What the command line says and how it ends: 0 done, 1 failed, 2 called wrongly. One line per error, no secrets. */

export const exitCodes = { ok: 0, failed: 1, usage: 2 } as const;

/** Called wrongly: the command cannot be what was meant. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Something went wrong that the message says in one sentence. */
export class Failure extends Error {
  override readonly name = "Failure";
}

export interface Output {
  /** A line of the result, on stdout. */
  line(text: string): void;
  /** One line on stderr. */
  error(text: string): void;
}

export const terminal: Output = {
  line: (text) => void process.stdout.write(`${text}\n`),
  error: (text) => void process.stderr.write(`portcullis: ${oneLine(text)}\n`),
};

const oneLine = (text: string): string => text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, " ").trim();
