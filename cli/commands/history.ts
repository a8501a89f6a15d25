/** `portcullis hosts history HOST`: which bundle ran from when to when, by the host's own reports. */
import type { Run } from "#schema/api/hosts.ts";
import type { Client } from "../client.ts";
import { listItems } from "../pages.ts";
import { table } from "../table.ts";

/** Newest first. @param at only what ran then, ISO 8601 in UTC; undefined for all */
export const hostHistory = (client: Client, host: string, at: string | undefined): Promise<readonly Run[]> =>
  listItems(client, "GET /v1/hosts/:host/history", { params: { host }, query: { at } });

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
