/** `portcullis ruleset HOST`: what a revision means for a host, as the host itself would render it. */
import { type Client, type Connection, connectionHelp, connectionOptions, openClient } from "../client.ts";
import { type Command, readArguments } from "../command.ts";
import { exitCodes, Failure, UsageError } from "../output.ts";
import { listItems } from "../pages.ts";
import { revisionNumber } from "./revisions.ts";

const rulesetRoute = "GET /v1/revisions/:revision/hosts/:host/ruleset";

export const ruleset: Command = {
  name: "ruleset",
  summary: "show a host's ruleset at a revision",
  help: `portcullis ruleset HOST

The management plane stands in the host's own guard file and is not shown.

  --revision R        which revision (default: the newest)
  --format FORMAT     nft or json (default: nft)
  --json              the same as --format json
${connectionHelp}`,
  async run(args, { env, output }) {
    const { values, positionals } = readArguments(
      args,
      {
        revision: { type: "string" },
        format: { type: "string" },
        json: { type: "boolean" },
        ...connectionOptions,
      } as const,
      1,
    );
    const [host] = positionals;
    if (host === undefined) throw new UsageError("which host?");
    const format = values.format ?? (values.json === true ? "json" : "nft");
    if (format !== "nft" && format !== "json") throw new UsageError("--format is nft or json");
    if (format === "nft" && values.json === true)
      throw new UsageError("--json and --format nft exclude each other");
    const asked = values.revision === undefined ? undefined : revisionNumber(values.revision);
    const client = openClient(values satisfies Connection, env);
    const revision = asked ?? (await newest(client));
    const asking = { params: { revision, host }, query: { format } };
    if (format === "json") output.line(JSON.stringify(await client.call(rulesetRoute, asking)));
    else output.line((await client.text(rulesetRoute, asking)).trimEnd());
    return exitCodes.ok;
  },
};

async function newest(client: Client): Promise<number> {
  const [head] = await listItems(client, "GET /v1/revisions", {}, 1);
  if (head === undefined) throw new Failure("there is no revision yet");
  return head.revision;
}
