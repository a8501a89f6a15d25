/** `portcullis audit list`: who did what, newest first, as the chain has it. */
import { exitCodes } from "#args/exits.ts";
import { value } from "#args/spec.ts";
import { connectionOptions, openClient } from "#cli/http/client.ts";
import { command, jsonOption, print, parseWholeNumber } from "#cli/run/command.ts";
import { listItems } from "#cli/http/pages.ts";
import { formatTable } from "#cli/text/table.ts";

export const auditList = command(
  {
    name: "audit list",
    summary: "list who did what, newest first",
    about: ["What each entry says besides, and the digests that chain them, is in --json."],
    positionals: {},
    options: { limit: value("N", "how many (default: 20)"), ...jsonOption, ...connectionOptions },
    examples: ["audit list", "audit list --limit 1000 --json"],
  },
  async ({ values }, context) => {
    const limit = parseWholeNumber("--limit", values.limit ?? "20", 999_999);
    const items = await listItems(openClient(values, context.env), "GET /v1/audit", {}, limit);
    print(context, values.json, items, () =>
      formatTable(
        ["SEQ", "AT", "ACTOR", "FOR", "ACTION", "REVISION", "ABOUT"],
        items.map((item) => [
          item.seq,
          item.at,
          item.actor,
          item.on_behalf_of,
          item.action,
          item.revision,
          formatAbout(item.body),
        ]),
      ),
    );
    return exitCodes.ok;
  },
);

const aboutMax = 60;

/** Names and numbers of an entry, shortened; lists and digests are for `--json`. */
function formatAbout(body: Readonly<Record<string, unknown>>): string {
  const said = Object.entries(body).flatMap(([name, detail]) =>
    (typeof detail === "string" && detail.length <= 40) ||
    typeof detail === "number" ||
    typeof detail === "boolean"
      ? [`${name}=${String(detail)}`]
      : [],
  );
  const text = said.join(" ");
  return text.length <= aboutMax ? text : `${text.slice(0, aboutMax)}…`;
}
