/** `portcullis hosts [HOST]`: what every host is served, what it holds, and how long its lease still runs. */
import { type ExitCode, exitCodes } from "#args/exits.ts";
import type { Held, HostItem } from "#schema/api/hosts.ts";
import type { Listening } from "#schema/wire.ts";
import { type Client, connectionOptions, openClient } from "#cli/http/client.ts";
import { command, type Context, jsonOption, print } from "#cli/run/command.ts";
import { listItems } from "#cli/http/pages.ts";
import { type Cell, formatProperties, formatSpan, formatTable } from "#cli/text/table.ts";

export const hosts = command(
  {
    name: "hosts",
    summary: "list hosts and where they stand, or show one",
    about: [
      "Published and applied are shown as seq/revision: a host's own count, and the revision that last changed it.",
    ],
    positionals: { host: { value: "HOST" } },
    options: { ...jsonOption, ...connectionOptions },
    examples: ["hosts", "hosts web1"],
  },
  async ({ values, positionals }, context) => {
    const client = openClient(values, context.env);
    const { host } = positionals;
    if (host === undefined) {
      const items = await listItems(client, "GET /v1/hosts", {});
      print(context, values.json, items, () => hostTable(items, context.now()));
      return exitCodes.ok;
    }
    return showHost(client, host, values.json, context);
  },
);

export const hostsShow = command(
  {
    name: "hosts show",
    summary: "show one host, whatever it is called",
    about: [
      "The same as portcullis hosts HOST, also for a host that is called as a command is, such as history.",
    ],
    positionals: { host: { value: "HOST", required: true } },
    options: { ...jsonOption, ...connectionOptions },
    examples: ["hosts show history"],
  },
  async ({ values, positionals }, context) =>
    showHost(openClient(values, context.env), positionals.host, values.json, context),
);

async function showHost(
  client: Client,
  host: string,
  json: boolean,
  context: Context,
): Promise<ExitCode> {
  const params = { host };
  const item = await client.call("GET /v1/hosts/:host", { params });
  const { report } = await client.call("GET /v1/hosts/:host/status", { params });
  const listening = report?.listening ?? null;
  print(context, json, { ...item, listening }, () =>
    hostProperties(item, listening, context.now()),
  );
  return exitCodes.ok;
}

/** @param now milliseconds since the Unix epoch */
export const hostTable = (items: readonly HostItem[], now: number): readonly string[] =>
  formatTable(
    ["HOST", "STATE", "PUBLISHED", "APPLIED", "LEASE", "HELD", "POLL", "REPORT", "WARNINGS"],
    items.map(({ key, status }) => [
      key,
      stateText(status),
      formatHeld(status.published),
      formatHeld(status.applied),
      formatLeft(status.lease_expires_at, now),
      formatLeft(status.held_lease_expires_at, now),
      ago(status.last_poll_at, now),
      ago(status.last_report_at, now),
      status.warnings.length === 0 ? null : status.warnings.length,
    ]),
  );

/** The agent's own word; of a host that is not heard of any more, that it was its last one. */
const stateText = ({ state, contact }: HostItem["status"]): string =>
  contact === null || contact === "polling" ? state : `${contact}, was ${state}`;

export const hostProperties = (
  { key, body, status }: HostItem,
  listening: Listening | null,
  now: number,
): readonly string[] =>
  formatProperties([
    ["host", key],
    ["addresses", body.addresses.join(", ")],
    ["roles", body.roles.join(", ")],
    ["state", stateText(status)],
    ["published", formatHeld(status.published)],
    ["applied", formatHeld(status.applied)],
    ["lease published", formatLeft(status.lease_expires_at, now)],
    ["lease it held", formatLeft(status.held_lease_expires_at, now)],
    ["last poll", ago(status.last_poll_at, now)],
    ["last report", ago(status.last_report_at, now)],
    ...status.warnings.map((warning): [string, Cell] => ["warning", warning.message]),
    ...(listening === null ? [] : listListeningProperties(listening)),
  ]);

function listListeningProperties({ undeclared, silent }: Listening): readonly [string, Cell][] {
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

const formatHeld = (value: Held | null): Cell =>
  value === null ? null : `${value.seq}/r${value.revision}`;

function formatLeft(expires: string | null, now: number): Cell {
  if (expires === null) return null;
  const rest = Date.parse(expires) - now;
  return rest <= 0 ? "expired" : formatSpan(rest);
}

const ago = (at: string | null, now: number): Cell =>
  at === null ? null : `${formatSpan(now - Date.parse(at))} ago`;
