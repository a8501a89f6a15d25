/** `portcullis enrol HOST`: a one-time token for one declared host, and the command that the host runs with it. */
import { type Connection, connectionHelp, connectionOptions, openClient } from "../client.ts";
import { type Command, readArguments } from "../command.ts";
import { exitCodes, UsageError } from "../output.ts";

export const enrol: Command = {
  name: "enrol",
  summary: "let one declared host join, once",
  help: `portcullis enrol HOST

Prints the command that the host runs to join. The token in it works once, for this host, for a short time.

  --ttl SECONDS       how long the token works, 60 to 86400 (default: 900)
  --agent-url URL     what the host calls the control plane (default: --url)
  --json              the answer as JSON, with the command
${connectionHelp}`,
  async run(args, { env, output }) {
    const options = {
      ttl: { type: "string" },
      "agent-url": { type: "string" },
      json: { type: "boolean" },
      ...connectionOptions,
    } as const;
    const { values, positionals } = readArguments(args, options, 1);
    const [host] = positionals;
    if (host === undefined) throw new UsageError("which host?");
    if (values.ttl !== undefined && !/^\d{1,5}$/.test(values.ttl))
      throw new UsageError("--ttl is a number of seconds");
    const client = openClient(values satisfies Connection, env);
    const enrolment = await client.call("POST /v1/enrolments", {
      body: { host, ...(values.ttl === undefined ? {} : { ttl_seconds: Number(values.ttl) }) },
    });
    const url = values["agent-url"] ?? client.url;
    // By standard input: an argument could be read by every user of the host.
    const command = `echo ${enrolment.token} | portcullis-agent join ${url} --root-sha256 ${enrolment.root_sha256}`;
    if (values.json === true) output.line(JSON.stringify({ ...enrolment, command }));
    else {
      output.line(`# on ${enrolment.host}, before ${enrolment.expires_at}:`);
      output.line(command);
    }
    return exitCodes.ok;
  },
};
