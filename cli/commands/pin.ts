/** `portcullis pin | unpin HOST`: a host that stays where it is, whatever is committed, until a person lets it go. */
import { type Connection, connectionHelp, connectionOptions, openClient } from "../client.ts";
import { type Command, note, readArguments } from "../command.ts";
import { exitCodes, UsageError } from "../output.ts";

const paramsOf = (host: string | undefined): { readonly host: string } => {
  if (host === undefined) throw new UsageError("HOST is needed");
  return { host };
};

const options = { json: { type: "boolean" }, ...connectionOptions } as const;

export const pin: Command = {
  name: "pin",
  summary: "keep a host where it is",
  help: `portcullis pin HOST --reason TEXT

What is committed is withheld from it, and rollouts pass it by, until portcullis unpin. Its lease goes on.

  --reason TEXT       why
  --on-behalf-of WHO  for whom; a claim, recorded beside the token's own name
  --json              the answer as JSON
${connectionHelp}`,
  async run(args, { env, output }) {
    const said = { reason: { type: "string" }, "on-behalf-of": { type: "string" } } as const;
    const { values, positionals } = readArguments(args, { ...said, ...options } as const, 1);
    const params = paramsOf(positionals[0]);
    if (values.reason === undefined) throw new UsageError("--reason is needed");
    const behalf = values["on-behalf-of"];
    const body = {
      reason: note("--reason", values.reason),
      ...(behalf === undefined ? {} : { on_behalf_of: note("--on-behalf-of", behalf) }),
    };
    const client = openClient(values satisfies Connection, env);
    const answer = await client.call("PUT /v1/hosts/:host/pin", { params, body });
    output.line(values.json === true ? JSON.stringify(answer) : `${answer.host} is pinned`);
    return exitCodes.ok;
  },
};

export const unpin: Command = {
  name: "unpin",
  summary: "let rollouts reach a host again",
  help: `portcullis unpin HOST

What was withheld from it meanwhile comes with the next rollout.

  --json              the answer as JSON
${connectionHelp}`,
  async run(args, { env, output }) {
    const { values, positionals } = readArguments(args, options, 1);
    const params = paramsOf(positionals[0]);
    const answer = await openClient(values satisfies Connection, env).call("DELETE /v1/hosts/:host/pin", {
      params,
    });
    output.line(values.json === true ? JSON.stringify(answer) : `${answer.host} is not pinned`);
    return exitCodes.ok;
  },
};
