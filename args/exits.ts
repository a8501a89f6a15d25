/** How programs end, once for `portcullis` and `portcullis-agent`: exit codes, and what each means. */

export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  /** Of `plan`, where being called wrongly is a failure like any other. */
  changes: 2,
  /** A rollout that waits for a person. */
  paused: 3,
  /** A check on the host refused something; the last committed ruleset stays. */
  refused: 3,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Called wrongly: the command cannot be what was meant. Never quotes a value. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
