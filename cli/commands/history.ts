/** `portcullis hosts history HOST`: which bundle ran from when to when, by the host's own reports. */
import * as z from "zod";
import type { Client } from "../client.ts";
import { listItems } from "../pages.ts";
import { table } from "../table.ts";

const Run = z.object({
  from: z.iso.datetime(),
  to: z.iso.datetime().nullable(),
  state: z.string(),
  seq: z.int().nullable(),
  revision: z.int().nullable(),
  bundle_sha256: z.string().nullable(),
  guard_sha256: z.string().nullable(),
});
export type Run = z.infer<typeof Run>;

/** Newest first. @param at only what ran then, ISO 8601 in UTC; undefined for all */
export async function hostHistory(
  client: Client,
  host: string,
  at: string | undefined,
): Promise<readonly Run[]> {
  const path = `/v1/hosts/${encodeURIComponent(host)}/history`;
  return listItems(
    client,
    at === undefined ? path : `${path}?${new URLSearchParams({ at }).toString()}`,
    Run,
  );
}

const shown = (digest: string | null): string | null => digest?.slice(0, 12) ?? null;

export const historyTable = (runs: readonly Run[]): readonly string[] =>
  table(
    ["FROM", "TO", "STATE", "APPLIED", "BUNDLE", "GUARD"],
    runs.map(({ from, to, state, seq, revision, bundle_sha256, guard_sha256 }) => [
      from,
      to ?? "now",
      state,
      seq === null ? null : `${seq}/r${revision}`,
      shown(bundle_sha256),
      shown(guard_sha256),
    ]),
  );
