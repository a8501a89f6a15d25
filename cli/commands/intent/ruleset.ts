/** `portcullis ruleset HOST`: what a revision means for a host, as the host itself would render it. */
import { exitCodes, UsageError } from "#args/exits.ts";
import { flag, value } from "#args/spec.ts";
import { type Client, connectionOptions, openClient } from "#cli/http/client.ts";
import { command, parseRevisionNumber } from "#cli/run/command.ts";
import { Failure } from "#cli/text/output.ts";
import { listItems } from "#cli/http/pages.ts";

const route = "GET /v1/revisions/:revision/hosts/:host/ruleset";

export const ruleset = command(
  {
    name: "ruleset",
    summary: "show a host's ruleset at a revision",
    about: ["The management plane stands in the host's own guard file and is not shown."],
    positionals: { host: { value: "HOST", required: true } },
    options: {
      revision: value("R", "which revision (default: the newest)"),
      format: value("FORMAT", "nft or json (default: nft)", { choices: ["nft", "json"] }),
      json: flag("the same as --format json"),
      ...connectionOptions,
    },
    examples: ["ruleset web1", "ruleset web1 --revision 12 --format json"],
  },
  async ({ values, positionals }, { env, output }) => {
    const format = values.format ?? (values.json ? "json" : "nft");
    if (format === "nft" && values.json)
      throw new UsageError("--json and --format nft exclude each other");
    const asked = values.revision === undefined ? undefined : parseRevisionNumber(values.revision);
    const client = openClient(values, env);
    const revision = asked ?? (await readNewest(client));
    const asking = { params: { revision, host: positionals.host }, query: { format } };
    if (format === "json") output.line(JSON.stringify(await client.call(route, asking)));
    else output.line((await client.text(route, asking)).trimEnd());
    return exitCodes.ok;
  },
);

async function readNewest(client: Client): Promise<number> {
  const [head] = await listItems(client, "GET /v1/revisions", {}, 1);
  if (head === undefined) throw new Failure("there is no revision yet");
  return head.revision;
}
