/** What a log line may say of an unexpected error. */

/** Name and message. Drizzle puts a query's values into its message, which may be secret; its cause does not. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const inner = error.cause instanceof Error ? error.cause : error;
  return `${error.name}: ${inner.message.startsWith("Failed query") ? "failed query" : inner.message}`;
}

/** Where an error came from, innermost call first: frames alone, as the text before them may hold values. */
export function framesOf(error: unknown): readonly string[] {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const lines = inner instanceof Error ? (inner.stack ?? "").split("\n") : [];
  return lines
    .map((line) => line.trim())
    .filter((line) => line.startsWith("at "))
    .slice(0, framesMax);
}

const framesMax = 20;

/** A path as a log may say it: somebody may have pasted a token into it. */
export const loggablePath = (path: string): string =>
  path.replace(/\b(pce?)_[A-Za-z0-9_-]{16,}/g, "$1_…").slice(0, 500);
