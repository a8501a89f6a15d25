/** `portcullis enrol HOST`: a one-time token for one declared host, and the command that the host runs with it. */
import { exitCodes, UsageError } from "#args/exits.ts";
import { flag, value } from "#args/spec.ts";
import type { Answered, Asked } from "#schema/api/types.ts";
import {
  type Client,
  connectionOptions,
  openClient,
  Refusal,
  withRequest,
} from "#cli/http/client.ts";
import { command, print } from "#cli/run/command.ts";
import { Failure } from "#cli/text/output.ts";

export const enrol = command(
  {
    name: "enrol",
    summary: "let one declared host join, once",
    about: [
      "Prints the command that the host runs to join. The token in it works once, for this host, for a short time.",
    ],
    positionals: { host: { value: "HOST", required: true } },
    options: {
      ttl: value("SECONDS", "how long the token works, 60 to 86400 (default: 900)"),
      "agent-url": value("URL", "what the host calls the control plane (default: --url)"),
      json: flag("the answer as JSON, with the command"),
      ...connectionOptions,
    },
    examples: ["enrol web1", "enrol web1 --ttl 3600 --agent-url https://fw.internal"],
  },
  async ({ values, positionals }, context) => {
    const { ttl } = values;
    if (ttl !== undefined && !/^\d{1,5}$/.test(ttl))
      throw new UsageError("--ttl is a number of seconds");
    const client = openClient(values, context.env);
    const enrolment = await invite(client, {
      host: positionals.host,
      ...(ttl === undefined ? {} : { ttl_seconds: Number(ttl) }),
    });
    const url = values["agent-url"] ?? client.url;
    // By standard input: an argument could be read by every user of the host.
    const join = `echo ${enrolment.token} | portcullis-agent join ${url} --root-sha256 ${enrolment.root_sha256}`;
    print(context, values.json, { ...enrolment, command: join }, () => [
      `# on ${enrolment.host}, before ${enrolment.expires_at}:`,
      join,
    ]);
    return exitCodes.ok;
  },
);

/** @throws Failure that names a host which is not declared */
async function invite(
  client: Client,
  body: Asked<"POST /v1/enrolments">["body"],
): Promise<Answered<"POST /v1/enrolments">> {
  try {
    return await client.call("POST /v1/enrolments", { body });
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== "not_found") throw error;
    throw new Failure(
      `host ${body.host} is not declared; declare it in a catalog or by PUT /v1/hosts/${body.host}, then enrol it` +
        withRequest(error.requestId),
    );
  }
}
