/** Why the kernel does not hold a program. */
export type ApplyCode = "check_failed" | "load_failed" | "readback_mismatch";

/** Why the kernel does not hold a program. `message` is nft's first line, or the first difference. */
export class ApplyError extends Error {
  readonly code: ApplyCode;
  constructor(code: ApplyCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ApplyError";
    this.code = code;
  }
}
