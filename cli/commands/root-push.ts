/** `portcullis root push`: puts a signed root in force. What is missing is said before anything is sent. */
import { type Connection, connectionHelp, connectionOptions, openClient } from "../client.ts";
import { type Command, readArguments } from "../command.ts";
import { exitCodes, Failures, UsageError } from "../output.ts";
import { joinCopies, rootFileText } from "../root-file.ts";
import { loadRootFile } from "../root-key-files.ts";
import { putRoot, rootBefore } from "../root-plane.ts";
import { successionFaults } from "../root-succession.ts";
import { sha256Of } from "../root.ts";

const copiesMax = 32;

export const rootPush: Command = {
  name: "root push",
  summary: "put a signed root in force",
  help: `portcullis root push FILE [COPY ...]

Joins the signatures of all copies, checks them against the root in force and against the root itself, and puts it in
force: every host follows at its next poll. It cannot be taken back, only followed by another.

  --json              version and digest as JSON
${connectionHelp}`,
  async run(args, { env, output, now }) {
    const options = { json: { type: "boolean" }, ...connectionOptions } as const;
    const { values, positionals } = readArguments(args, options, copiesMax);
    const [first, ...others] = positionals;
    if (first === undefined) throw new UsageError("FILE is needed");
    const next = joinCopies(loadRootFile(first), others.map(loadRootFile));
    const text = rootFileText(next);
    const client = openClient(values satisfies Connection, env);
    const current = await rootBefore(client);
    const isInForce = current !== undefined && sha256Of(rootFileText(current)) === sha256Of(text);
    const faults = isInForce ? [] : successionFaults(current, next, now());
    if (faults.length > 0)
      throw new Failures(faults.map((fault) => `portcullis: ${first} is not pushed: ${fault}`));
    const { version, sha256 } = await putRoot(client, text);
    output.line(
      values.json === true
        ? JSON.stringify({ version, sha256 })
        : `root version ${version} is in force, sha256 ${sha256}`,
    );
    return exitCodes.ok;
  },
};
