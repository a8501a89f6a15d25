/** `portcullis rollout pause | resume | halt | rollback | skip | force | approve`: what a person does to a rollout. */
import { exitCodes } from "#args/exits.ts";
import { flag, value } from "#args/spec.ts";
import { RolloutAction } from "#schema/rollout.ts";
import { connectionOptions, openClient } from "#cli/http/client.ts";
import { behalfOption, type Command, command, note, onBehalfOf, print } from "#cli/run/command.ts";
import { listRolloutLines } from "#cli/rollout/text.ts";
import { rolloutId, rolloutPlace } from "./start.ts";

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

export const rolloutActions: readonly Command[] = RolloutAction.options.map((action) =>
  command(
    {
      name: `rollout ${action}`,
      summary: summaries[action],
      about: [`${capital(summaries[action])}. Recorded with the token's name.`],
      positionals: { id: rolloutPlace },
      options: {
        reason: needsReason(action)
          ? value("TEXT", "why", { required: true })
          : value("TEXT", "why; not needed"),
        "on-behalf-of": behalfOption,
        json: flag("the rollout afterwards as JSON"),
        ...connectionOptions,
      },
      examples: [
        `rollout ${action} 7${needsReason(action) ? " --reason 'web1 is being repaired'" : ""}`,
      ],
    },
    async ({ values, positionals }, context) => {
      const id = rolloutId(positionals.id);
      const { reason } = values;
      const body = {
        ...(reason === undefined ? {} : { reason: note("--reason", reason) }),
        ...onBehalfOf(values["on-behalf-of"]),
      };
      const client = openClient(values, context.env);
      const view = await client.call(`POST /v1/rollouts/:id/${action}`, { params: { id }, body });
      print(context, values.json, view, () => listRolloutLines(view, context.now()));
      return exitCodes.ok;
    },
  ),
);
