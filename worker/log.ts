/** What a log line may say of an unexpected error. */

/** Name and message. Drizzle puts a query's values into its message, which may be secret; its cause does not. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const inner = error.cause instanceof Error ? error.cause : error;
  return `${error.name}: ${inner.message.startsWith("Failed query") ? "failed query" : inner.message}`;
}
