/**
 * How the agent says no: a closed code and one sentence. Code branches on the code, people read the sentence.
 * Neither ever carries a secret or bytes that came from the network unescaped.
 */
import { Refused } from "#core/refused.ts";
import { type GuardLine, type RefusalCode, refusalEntry } from "#schema/refusals.ts";

export { Refused } from "#core/refused.ts";

export interface Refusal {
  readonly code: RefusalCode;
  readonly message: string;
  /** The line of the guard that does not admit a bundle. */
  readonly line?: GuardLine;
}

/** Whether a poll failed on its way or in verification; the guard's `on_failure` is about the latter. */
export const causeOf = ({ code }: Refusal): "transport" | "verification" =>
  refusalEntry(code).class === "forged" ? "verification" : "transport";

export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly refusal: Refusal };

/** Longest message that a report carries. */
const messageLengthMax = 500;

export const refusalOf = (refused: Refused): Refusal => ({
  code: refused.code,
  message: printable(refused.message).slice(0, messageLengthMax),
  ...(refused.line === undefined ? {} : { line: refused.line }),
});

/** Text without control characters: they forge log lines and move terminals. */
export const printable = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, "?");

/** Runs `work` and turns a `Refused` into a value; any other error is a defect and passes through. */
export async function settleOutcome<T>(work: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    if (error instanceof Refused) return { ok: false, refusal: refusalOf(error) };
    throw error;
  }
}
