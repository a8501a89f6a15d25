/**
 * When to ask again. Pure: randomness comes in as numbers from 0 up to 1.
 *
 * A poll wanders by a fifth so that hosts started together drift apart; a failure backs off with full jitter, so that
 * a control plane that comes back is not met by all its hosts at once.
 */
const pollSecondsDefault = 20;
const pollSecondsRange = { min: 5, max: 900 } as const;
const backOffSecondsMax = 300;
const jitter = 0.2;

/** Seconds the control plane asked for, clamped; the default for anything but a whole number of seconds. */
export function pollSeconds(header: string | undefined): number {
  if (header === undefined || !/^\d{1,9}$/.test(header)) return pollSecondsDefault;
  return Math.min(pollSecondsRange.max, Math.max(pollSecondsRange.min, Number(header)));
}

/**
 * Milliseconds that a control plane asked to be left alone (RFC 9110 §10.2.3, in seconds), no longer than it may ask polls
 * to wait: 0 for anything but a whole number of seconds.
 */
export function retryAfterMs(header: string | undefined): number {
  if (header === undefined || !/^\d{1,9}$/.test(header)) return 0;
  return 1000 * Math.min(pollSecondsRange.max, Number(header));
}

/** The same with up to a fifth more, so that not all come back at once who were sent away at once. */
export const spreadMs = (waitMs: number, random: number): number =>
  Math.ceil(waitMs * (1 + jitter * random));

/**
 * Milliseconds until the next poll.
 * @param failures polls in a row that brought nothing to believe; 0 after a good one
 */
export function computeNextPollMs(seconds: number, failures: number, random: number): number {
  if (failures === 0) return Math.round(1000 * seconds * (1 - jitter + 2 * jitter * random));
  const ceiling = Math.min(
    Math.max(backOffSecondsMax, seconds),
    seconds * 2 ** Math.min(failures, 20),
  );
  // Never below the floor of a poll: full jitter reaches down to zero.
  return Math.max(1000 * pollSecondsRange.min, Math.round(1000 * ceiling * random));
}
