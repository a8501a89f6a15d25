/** `portcullis revisions [R]`: who changed what, when and why. */
import { type Client, type Connection, connectionHelp, connectionOptions, openClient } from "../client.ts";
import { type Command, readArguments } from "../command.ts";
import { bodyDifferences } from "../diff.ts";
import { exitCodes, type Output, paint, printable, UsageError } from "../output.ts";
import { listItems } from "../pages.ts";
import { properties, table } from "../table.ts";

export const revisions: Command = {
  name: "revisions",
  summary: "list revisions, or show one",
  help: `portcullis revisions [REVISION]

Newest first. With a number: that revision and the rows it changed.

  --limit N           how many (default: 20)
  --json              the answer as JSON
${connectionHelp}`,
  async run(args, { env, output }) {
    const options = { limit: { type: "string" }, json: { type: "boolean" }, ...connectionOptions } as const;
    const { values, positionals } = readArguments(args, options, 1);
    const limit = values.limit ?? "20";
    if (!/^[1-9]\d{0,5}$/.test(limit)) throw new UsageError("--limit is a number from 1 to 999999");
    const [text] = positionals;
    const revision = text === undefined ? undefined : revisionNumber(text);
    const client = openClient(values satisfies Connection, env);
    if (revision === undefined) await list(client, output, Number(limit), values.json);
    else await show(client, output, revision, values.json);
    return exitCodes.ok;
  },
};

/** Reads a revision as people write it, `7` or `r7`. @throws UsageError */
export function revisionNumber(text: string): number {
  const digits = /^r?(\d{1,15})$/.exec(text)?.[1];
  if (digits === undefined) throw new UsageError("a revision is a number");
  return Number(digits);
}

async function list(client: Client, output: Output, limit: number, json: boolean | undefined): Promise<void> {
  const items = await listItems(client, "GET /v1/revisions", {}, limit);
  if (json === true) output.line(JSON.stringify(items));
  else
    for (const text of table(
      ["REVISION", "AT", "AUTHOR", "FOR", "SOURCE", "MESSAGE"],
      items.map((item) => [
        item.revision,
        item.at,
        item.author,
        item.on_behalf_of,
        item.source,
        item.message,
      ]),
    ))
      output.line(text);
}

async function show(
  client: Client,
  output: Output,
  revision: number,
  json: boolean | undefined,
): Promise<void> {
  const detail = await client.call("GET /v1/revisions/:revision", { params: { revision } });
  if (json === true) {
    output.line(JSON.stringify(detail));
    return;
  }
  for (const text of properties([
    ["revision", detail.revision],
    ["parent", detail.parent],
    ["at", detail.at],
    ["author", detail.author],
    ["for", detail.on_behalf_of],
    ["source", detail.source],
    ["message", detail.message],
  ]))
    output.line(text);
  for (const { kind, key, before, after } of detail.changes) {
    const tone = before === null ? "added" : after === null ? "removed" : "changed";
    const sign = { added: "+", removed: "-", changed: "~" }[tone];
    output.line(paint(output, tone, printable(`${sign} ${kind} ${key}`)));
    if (tone === "changed")
      for (const difference of bodyDifferences(before, after))
        output.line(paint(output, difference.tone, `    ${printable(difference.text)}`));
  }
}
