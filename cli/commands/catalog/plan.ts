/** `portcullis plan`: what a catalog would change, in rows and on every host. Writes nothing. */
import { exitCodes } from "#args/exits.ts";
import { connectionOptions, openClient } from "#cli/http/client.ts";
import { command } from "#cli/run/command.ts";
import { printProposal } from "#cli/intent/proposal-text.ts";
import {
  catalogOptions,
  describeProposal,
  planOptions,
  propose,
  readCatalogOf,
} from "#cli/intent/proposal.ts";

export const plan = command(
  {
    name: "plan",
    summary: "show what a catalog would change",
    about: [
      "Shows what apply would do with the same options: rows, and the rules and set elements of every host concerned. " +
        "Nothing is written.",
    ],
    positionals: {},
    options: { ...catalogOptions, ...connectionOptions },
    examples: ["plan -f catalog/", "plan -f catalog/ --prune --json"],
    exits: "0 no change, 2 changes, 1 an error.",
    misused: exitCodes.failed,
  },
  async ({ values }, { env, output }) => {
    const options = planOptions(values);
    const catalog = readCatalogOf(values);
    const proposal = await propose(openClient(values, env), catalog, options);
    if (values.json) output.line(JSON.stringify(describeProposal(proposal)));
    else printProposal(output, proposal);
    return proposal.answer.changes.length === 0 ? exitCodes.ok : exitCodes.changes;
  },
);
