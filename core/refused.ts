/** A refusal on its way to the door of its room, where it becomes a value: a closed code, and one sentence for people. */
import type { GuardLine, RefusalCode } from "#schema/refusals.ts";

export class Refused extends Error {
  override readonly name = "Refused";
  readonly code: RefusalCode;

  /** The line of the guard that does not admit a bundle. */
  readonly line: GuardLine | undefined;
  constructor(code: RefusalCode, message: string, line?: GuardLine) {
    super(message);
    this.code = code;
    this.line = line;
  }
}
