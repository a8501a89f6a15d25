/** What cron and the standalone timer call once a minute. Safe to call at any time and from several processes. */
import type { Ports } from "./ports.ts";

/** Nothing needs to be done yet. */
export async function maintain(_ports: Ports): Promise<void> {}
