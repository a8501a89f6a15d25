/**
 * `portcullis hosts adopting`: hosts of the whole fleet that count what their bundle would refuse, and enforce nothing
 * before a person on the host says so.
 */
import { exitCodes } from "#args/exits.ts";
import type { HostStatus } from "#schema/api/hosts.ts";
import { connectionOptions, openClient } from "#cli/http/client.ts";
import { command, jsonOption, print } from "#cli/run/command.ts";
import { listItems } from "#cli/http/pages.ts";
import { formatSpan, formatTable } from "#cli/text/table.ts";

export const hostsAdopting = command(
  {
    name: "hosts adopting",
    summary: "list hosts that only count what their rules would refuse",
    about: [
      "Packets are those that the rules would have refused since the host loaded them, and beside them the row that most " +
        "of them are of; undeclared are ports that something listens at and no row lets anybody reach. On the host " +
        "itself portcullis-agent adopt lists what would be cut, and portcullis-agent adopt --yes enforces.",
    ],
    positionals: {},
    options: { ...jsonOption, ...connectionOptions },
    examples: ["hosts adopting"],
  },
  async ({ values }, context) => {
    const client = openClient(values, context.env);
    const hosts = await listItems(client, "GET /v1/hosts", {});
    const found: HostStatus[] = [];
    for (const { key, status } of hosts)
      if (status.state === "adopting")
        found.push(await client.call("GET /v1/hosts/:host/status", { params: { host: key } }));
    print(context, values.json, found, () => listLines(found, context.now()));
    return exitCodes.ok;
  },
);

/** @param now milliseconds since the Unix epoch */
function listLines(found: readonly HostStatus[], now: number): readonly string[] {
  if (found.length === 0) return ["no host is adopting"];
  const rows = found.map(({ host, published, report }) => [
    host,
    published === null ? null : `${published.seq}/r${published.revision}`,
    report === null ? null : `${formatSpan(now - Date.parse(report.received_at))} ago`,
    report?.counted?.packets ?? null,
    describeMost(report),
    describeUndeclared(report),
  ]);
  return [
    ...formatTable(["HOST", "PUBLISHED", "REPORT", "PACKETS", "MOST OF", "UNDECLARED"], rows),
    "portcullis-agent adopt, on a host, lists what would be cut; portcullis-agent adopt --yes enforces",
  ];
}

function describeMost(report: HostStatus["report"]): string | null {
  const [row] = report?.counted?.rows ?? [];
  return row === undefined ? null : (row.row ?? "no row");
}

function describeUndeclared(report: HostStatus["report"]): number | null {
  const listening = report?.listening ?? null;
  return listening === null
    ? null
    : listening.undeclared.entries.length + listening.undeclared.more;
}
