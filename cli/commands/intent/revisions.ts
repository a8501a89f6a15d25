/** `portcullis revisions [R]`: who changed what, when and why. */
import { exitCodes } from "#args/exits.ts";
import { value } from "#args/spec.ts";
import type { RevisionDetail, RevisionItem } from "#schema/api/commits.ts";
import { connectionOptions, openClient } from "#cli/http/client.ts";
import {
  command,
  jsonOption,
  print,
  parseRevisionNumber,
  parseWholeNumber,
} from "#cli/run/command.ts";
import { compareBodies } from "#cli/text/diff.ts";
import { type Output, paint, printable } from "#cli/text/output.ts";
import { listItems } from "#cli/http/pages.ts";
import { formatProperties, formatTable } from "#cli/text/table.ts";

export const revisions = command(
  {
    name: "revisions",
    summary: "list revisions, or show one",
    about: ["Newest first. With a number: that revision and the rows it changed."],
    positionals: { revision: { value: "REVISION" } },
    options: { limit: value("N", "how many (default: 20)"), ...jsonOption, ...connectionOptions },
    examples: ["revisions --limit 5", "revisions r12"],
  },
  async ({ values, positionals }, context) => {
    const limit = parseWholeNumber("--limit", values.limit ?? "20", 999_999);
    const revision =
      positionals.revision === undefined ? undefined : parseRevisionNumber(positionals.revision);
    const client = openClient(values, context.env);
    if (revision === undefined) {
      const items = await listItems(client, "GET /v1/revisions", {}, limit);
      print(context, values.json, items, () => revisionTable(items));
      return exitCodes.ok;
    }
    const detail = await client.call("GET /v1/revisions/:revision", { params: { revision } });
    print(context, values.json, detail, () => revisionLines(context.output, detail));
    return exitCodes.ok;
  },
);

const revisionTable = (items: readonly RevisionItem[]): readonly string[] =>
  formatTable(
    ["REVISION", "AT", "AUTHOR", "FOR", "SOURCE", "MESSAGE"],
    items.map((item) => [
      item.revision,
      item.at,
      item.author,
      item.on_behalf_of,
      item.source,
      item.message,
    ]),
  );

const revisionLines = (output: Output, detail: RevisionDetail): readonly string[] => [
  ...formatProperties([
    ["revision", detail.revision],
    ["parent", detail.parent],
    ["at", detail.at],
    ["author", detail.author],
    ["for", detail.on_behalf_of],
    ["source", detail.source],
    ["message", detail.message],
  ]),
  ...detail.changes.flatMap((change) => listChangeLines(output, change)),
];

function listChangeLines(
  output: Output,
  { kind, key, before, after }: RevisionDetail["changes"][number],
): readonly string[] {
  const tone = before === null ? "added" : after === null ? "removed" : "changed";
  const sign = { added: "+", removed: "-", changed: "~" }[tone];
  const head = paint(output, tone, printable(`${sign} ${kind} ${key}`));
  if (tone !== "changed") return [head];
  const fields = compareBodies(before, after);
  return [
    head,
    ...fields.map((field) => paint(output, field.tone, `    ${printable(field.text)}`)),
  ];
}
