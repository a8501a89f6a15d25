/** `portcullis hosts [HOST]`: what every host is served, what it holds, and how long its lease still runs. */
import type { Held, HostItem } from "#schema/api/hosts.ts";
import type { Listening } from "#schema/wire.ts";
import { type Client, type Connection, connectionHelp, connectionOptions, openClient } from "../client.ts";
import { type Command, type Context, readArguments } from "../command.ts";
import { exitCodes, UsageError } from "../output.ts";
import { listItems } from "../pages.ts";
import { hostHistory, historyTable } from "./history.ts";
import { type Cell, properties, span, table } from "../table.ts";

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
  const items = await listItems(client, "GET /v1/hosts", {});
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
  const item = await client.call("GET /v1/hosts/:host", { params: { host } });
  const { report } = await client.call("GET /v1/hosts/:host/status", { params: { host } });
  const listening = report?.listening ?? null;
  return json === true ? [JSON.stringify({ ...item, listening })] : hostProperties(item, listening, now());
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

export const hostProperties = (
  { key, body, status }: HostItem,
  listening: Listening | null,
  now: number,
): readonly string[] =>
  properties([
    ["host", key],
    ["addresses", body.addresses.join(", ")],
    ["roles", body.roles.join(", ")],
    ["state", status.state],
    ["published", held(status.published)],
    ["applied", held(status.applied)],
    ["lease", left(status.lease_expires_at, now)],
    ["last report", ago(status.last_report_at, now)],
    ...status.warnings.map((warning): [string, Cell] => ["warning", warning.message]),
    ...(listening === null ? [] : listeningProperties(listening)),
  ]);

function listeningProperties({ undeclared, silent }: Listening): readonly [string, Cell][] {
  const more = (name: string, count: number): readonly [string, Cell][] =>
    count === 0 ? [] : [[name, `and ${count} more`]];
  return [
    ...undeclared.entries.map(({ protocol, port, addresses, process }): [string, Cell] => [
      "undeclared",
      `${protocol} ${port} on ${addresses.join(", ")}${process === null ? "" : ` by ${process}`}`,
    ]),
    ...more("undeclared", undeclared.more),
    ...silent.entries.map(({ protocol, port, last_port, row }): [string, Cell] => [
      "silent",
      `${protocol} ${port === last_port ? port : `${port}-${last_port}`} of ${row}`,
    ]),
    ...more("silent", silent.more),
  ];
}

const held = (value: Held | null): Cell => (value === null ? null : `${value.seq}/r${value.revision}`);

function left(expires: string | null, now: number): Cell {
  if (expires === null) return null;
  const rest = Date.parse(expires) - now;
  return rest <= 0 ? "expired" : span(rest);
}

const ago = (at: string | null, now: number): Cell =>
  at === null ? null : `${span(now - Date.parse(at))} ago`;
