/** `portcullis hosts history HOST`: which bundle ran from when to when, by the host's own reports. */
import { exitCodes } from "#args/exits.ts";
import { value } from "#args/spec.ts";
import type { Run } from "#schema/api/hosts.ts";
import { connectionOptions, openClient } from "#cli/http/client.ts";
import { command, jsonOption, print } from "#cli/run/command.ts";
import { listItems } from "#cli/http/pages.ts";
import { formatTable } from "#cli/text/table.ts";

export const hostsHistory = command(
  {
    name: "hosts history",
    summary: "show what ran on a host, and from when to when",
    about: ["What ran from when to when, as the host's own reports said, the newest first."],
    positionals: { host: { value: "HOST", required: true } },
    options: {
      at: value("TIME", "only what ran then, such as 2026-03-01T12:00:00Z"),
      ...jsonOption,
      ...connectionOptions,
    },
    examples: ["hosts history web1", "hosts history web1 --at 2026-03-01T12:00:00Z"],
  },
  async ({ values, positionals }, context) => {
    const asked = { params: { host: positionals.host }, query: { at: values.at } };
    const runs = await listItems(
      openClient(values, context.env),
      "GET /v1/hosts/:host/history",
      asked,
    );
    print(context, values.json, runs, () => historyTable(runs));
    return exitCodes.ok;
  },
);

const shortenDigest = (digest: string | null): string | null => digest?.slice(0, 12) ?? null;

const historyTable = (runs: readonly Run[]): readonly string[] =>
  formatTable(
    ["FROM", "TO", "STATE", "APPLIED", "BUNDLE", "GUARD"],
    runs.map(({ from, to, state, seq, revision, bundle_sha256, guard_sha256 }) => [
      from,
      to ?? "now",
      state,
      seq === null ? null : `${seq}/r${revision}`,
      shortenDigest(bundle_sha256),
      shortenDigest(guard_sha256),
    ]),
  );
