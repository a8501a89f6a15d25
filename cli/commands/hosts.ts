/** `portcullis hosts [HOST]`: what every host is served, what it holds, and how long its lease still runs. */
import * as z from "zod";
import { type Client, type Connection, connectionHelp, connectionOptions, openClient } from "../client.ts";
import { type Command, type Context, readArguments } from "../command.ts";
import { exitCodes, UsageError } from "../output.ts";
import { listItems } from "../pages.ts";
import { hostHistory, historyTable } from "./history.ts";
import { type Cell, properties, span, table } from "../table.ts";

const Held = z.object({ seq: z.int(), revision: z.int() });
const Status = z.object({
  state: z.string(),
  published: Held.nullable(),
  applied: Held.nullable(),
  last_report_at: z.iso.datetime().nullable(),
  lease_expires_at: z.iso.datetime().nullable(),
  warnings: z.array(z.unknown()),
});
export const HostItem = z.object({
  key: z.string(),
  body: z.object({ addresses: z.array(z.string()), roles: z.array(z.string()) }),
  status: Status,
});
export type HostItem = z.infer<typeof HostItem>;

export const hosts: Command = {
  name: "hosts",
  summary: "list hosts and where they stand",
  help: `portcullis hosts [HOST]
portcullis hosts history HOST [--at TIME]

Published and applied are shown as seq/revision: a host's own count, and the revision that last changed it.
The history is what ran from when to when, as the host's own reports said, the newest first.

  --at TIME           only what ran then, such as 2026-03-01T12:00:00Z

  --json              the answer as JSON
${connectionHelp}`,
  async run(args, { env, output, now }) {
    const { values, positionals } = readArguments(
      args,
      { json: { type: "boolean" }, at: { type: "string" }, ...connectionOptions } as const,
      2,
    );
    const client = openClient(values satisfies Connection, env);
    const [host, of] = positionals;
    if (of !== undefined && host !== "history")
      throw new UsageError("expected one host, or history and a host");
    if (of === undefined && values.at !== undefined) throw new UsageError("--at goes with hosts history");
    const lines =
      of !== undefined
        ? await past(client, of, values.at, values.json)
        : host === undefined
          ? await all(client, values.json, now)
          : await one(client, host, values.json, now);
    for (const text of lines) output.line(text);
    return exitCodes.ok;
  },
};

async function all(
  client: Client,
  json: boolean | undefined,
  now: Context["now"],
): Promise<readonly string[]> {
  const items = await listItems(client, "/v1/hosts", HostItem);
  return json === true ? [JSON.stringify(items)] : hostTable(items, now());
}

async function past(
  client: Client,
  host: string,
  at: string | undefined,
  json: boolean | undefined,
): Promise<readonly string[]> {
  const runs = await hostHistory(client, host, at);
  return json === true ? [JSON.stringify(runs)] : historyTable(runs);
}

async function one(
  client: Client,
  host: string,
  json: boolean | undefined,
  now: Context["now"],
): Promise<readonly string[]> {
  const item = await client.call("GET", `/v1/hosts/${encodeURIComponent(host)}`, HostItem);
  return json === true ? [JSON.stringify(item)] : hostProperties(item, now());
}

/** @param now milliseconds since the Unix epoch */
export const hostTable = (items: readonly HostItem[], now: number): readonly string[] =>
  table(
    ["HOST", "STATE", "PUBLISHED", "APPLIED", "LEASE", "REPORT", "WARNINGS"],
    items.map(({ key, status }) => [
      key,
      status.state,
      held(status.published),
      held(status.applied),
      left(status.lease_expires_at, now),
      ago(status.last_report_at, now),
      status.warnings.length === 0 ? null : status.warnings.length,
    ]),
  );

const hostProperties = ({ key, body, status }: HostItem, now: number): readonly string[] =>
  properties([
    ["host", key],
    ["addresses", body.addresses.join(", ")],
    ["roles", body.roles.join(", ")],
    ["state", status.state],
    ["published", held(status.published)],
    ["applied", held(status.applied)],
    ["lease", left(status.lease_expires_at, now)],
    ["last report", ago(status.last_report_at, now)],
    ...status.warnings.map((warning): [string, Cell] => ["warning", warningText(warning)]),
  ]);

const held = (value: z.infer<typeof Held> | null): Cell =>
  value === null ? null : `${value.seq}/r${value.revision}`;

function left(expires: string | null, now: number): Cell {
  if (expires === null) return null;
  const rest = Date.parse(expires) - now;
  return rest <= 0 ? "expired" : span(rest);
}

const ago = (at: string | null, now: number): Cell =>
  at === null ? null : `${span(now - Date.parse(at))} ago`;

function warningText(warning: unknown): string {
  const known = z.object({ message: z.string() }).safeParse(warning);
  return known.success ? known.data.message : typeof warning === "string" ? warning : JSON.stringify(warning);
}
