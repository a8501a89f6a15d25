/** A refusal on its way to the door of its room, where it becomes a value: a closed code, and one sentence for people. */
import type { RefusalCode } from "#schema/refusals.ts";

export class Refused extends Error {
  override readonly name = "Refused";
  readonly code: RefusalCode;

  constructor(code: RefusalCode, message: string) {
    super(message);
    this.code = code;
  }
}
