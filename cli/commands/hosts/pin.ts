/** `portcullis pin | unpin HOST`: a host that stays where it is, whatever is committed, until a person lets it go. */
import { exitCodes } from "#args/exits.ts";
import { value } from "#args/spec.ts";
import { connectionOptions, openClient } from "#cli/http/client.ts";
import { behalfOption, command, jsonOption, note, onBehalfOf, print } from "#cli/run/command.ts";

const positionals = { host: { value: "HOST", required: true } } as const;

export const pin = command(
  {
    name: "pin",
    summary: "keep a host where it is",
    about: [
      "What is committed is withheld from it, and rollouts pass it by, until portcullis unpin. Its lease goes on.",
    ],
    positionals,
    options: {
      reason: value("TEXT", "why", { required: true }),
      "on-behalf-of": behalfOption,
      ...jsonOption,
      ...connectionOptions,
    },
    examples: ["pin web1 --reason 'its disk is being replaced'"],
  },
  async ({ values, positionals: params }, context) => {
    const body = { reason: note("--reason", values.reason), ...onBehalfOf(values["on-behalf-of"]) };
    const client = openClient(values, context.env);
    const answer = await client.call("PUT /v1/hosts/:host/pin", { params, body });
    print(context, values.json, answer, () => [`${answer.host} is pinned`]);
    return exitCodes.ok;
  },
);

export const unpin = command(
  {
    name: "unpin",
    summary: "let rollouts reach a host again",
    about: ["What was withheld from it meanwhile comes with the next rollout."],
    positionals,
    options: { ...jsonOption, ...connectionOptions },
    examples: ["unpin web1"],
  },
  async ({ values, positionals: params }, context) => {
    const client = openClient(values, context.env);
    const answer = await client.call("DELETE /v1/hosts/:host/pin", { params });
    print(context, values.json, answer, () => [`${answer.host} is not pinned`]);
    return exitCodes.ok;
  },
);
