/** `portcullis plan`: what a catalog would change, in rows and on every host. Writes nothing. */
import { type Connection, connectionHelp, connectionOptions, openClient } from "../client.ts";
import { type Command, readArguments } from "../command.ts";
import { exitCodes } from "../output.ts";
import { printProposal } from "../proposal-text.ts";
import { catalogHelp, catalogOptions, planOptions, propose, readCatalogOf } from "../proposal.ts";

export const plan: Command = {
  name: "plan",
  misused: exitCodes.failed,
  summary: "show what a catalog would change",
  help: `portcullis plan -f FILE [-f FILE ...]

Shows what apply would do with the same options: rows, and the rules and set elements of every host concerned.
Exit codes: 0 no change, 2 changes, 1 an error.

${catalogHelp}
${connectionHelp}`,
  async run(args, { env, output }) {
    const { values } = readArguments(args, { ...catalogOptions, ...connectionOptions } as const, 0);
    const options = planOptions(values);
    const catalog = readCatalogOf(values);
    const proposal = await propose(openClient(values satisfies Connection, env), catalog, options);
    const { answer, warnings, notes } = proposal;
    if (values.json === true)
      output.line(JSON.stringify({ ...answer, source: options.source, warnings, notes }));
    else printProposal(output, proposal);
    return answer.changes.length === 0 ? exitCodes.ok : exitCodes.changes;
  },
};
