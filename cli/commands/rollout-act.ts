/** `portcullis rollout pause | resume | halt | rollback | skip | force | approve`: what a person does to a rollout. */
import { RolloutAction } from "#schema/rollout.ts";
import { type Connection, connectionHelp, connectionOptions, openClient } from "../client.ts";
import { type Command, note, readArguments } from "../command.ts";
import { exitCodes, UsageError } from "../output.ts";
import { rolloutLines } from "../rollout-text.ts";
import { rolloutId } from "./rollout-start.ts";

const summaries: Readonly<Record<RolloutAction, string>> = {
  pause: "reach no further host until it is resumed",
  resume: "go on; hosts that did not commit are tried again",
  halt: "stop at once; hosts stay as they are",
  rollback: "give hosts back what they had before",
  skip: "go on without the hosts that did not commit",
  force: "give before everybody has lost what depends on it",
  approve: "approve an emergency that somebody else started",
};

/** The actions that stop something dangerous, or agree to what is explained already, need no reason. */
const needsReason = (action: RolloutAction): boolean => action !== "halt" && action !== "approve";

const capital = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;

export const rolloutActions: readonly Command[] = RolloutAction.options.map((action): Command => ({
  name: `rollout ${action}`,
  summary: summaries[action],
  help: `portcullis rollout ${action} ID${needsReason(action) ? " --reason TEXT" : ""}

${capital(summaries[action])}. Recorded with the token's name.

  --reason TEXT       why${needsReason(action) ? "" : "; not needed"}
  --on-behalf-of WHO  for whom; a claim, recorded beside the token's own name
  --json              the rollout afterwards as JSON
${connectionHelp}`,
  async run(args, { env, output, now }) {
    const { values, positionals } = readArguments(args, options, 1);
    const id = rolloutId(positionals[0]);
    const { reason, "on-behalf-of": behalf } = values;
    if (reason === undefined && needsReason(action)) throw new UsageError("--reason is needed");
    const body = {
      ...(reason === undefined ? {} : { reason: note("--reason", reason) }),
      ...(behalf === undefined ? {} : { on_behalf_of: note("--on-behalf-of", behalf) }),
    };
    const client = openClient(values satisfies Connection, env);
    const view = await client.call(`POST /v1/rollouts/:id/${action}`, { params: { id }, body });
    for (const text of values.json === true ? [JSON.stringify(view)] : rolloutLines(view, now()))
      output.line(text);
    return exitCodes.ok;
  },
}));

const options = {
  reason: { type: "string" },
  "on-behalf-of": { type: "string" },
  json: { type: "boolean" },
  ...connectionOptions,
} as const;
