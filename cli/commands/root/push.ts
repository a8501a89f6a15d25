/** `portcullis root push`: puts a signed root in force. What is missing is said before anything is sent. */
import { exitCodes } from "#args/exits.ts";
import { flag } from "#args/spec.ts";
import { connectionOptions, openClient } from "#cli/http/client.ts";
import { command, print } from "#cli/run/command.ts";
import { Failures } from "#cli/text/output.ts";
import { joinCopies, rootFileText } from "#cli/root/file.ts";
import { loadRootFile } from "#cli/root/key-files.ts";
import { putRoot, readRootBefore } from "#cli/root/plane.ts";
import { successionFaults } from "#cli/root/succession.ts";
import { sha256Of } from "#cli/root/name.ts";

export const rootPush = command(
  {
    name: "root push",
    summary: "put a signed root in force",
    about: [
      "Joins the signatures of all copies, checks them against the root in force and against the root itself, and puts " +
        "it in force: every host follows at its next poll. It cannot be taken back, only followed by another.",
    ],
    positionals: {
      file: { value: "FILE", required: true },
      copies: { value: "COPY", many: true },
    },
    options: { json: flag("version and digest as JSON"), ...connectionOptions },
    examples: ["root push 2.root.json", "root push 2.root.json from-carol.json from-dave.json"],
  },
  async ({ values, positionals }, context) => {
    const { file, copies } = positionals;
    const next = joinCopies(loadRootFile(file), copies.map(loadRootFile));
    const text = rootFileText(next);
    const client = openClient(values, context.env);
    const current = await readRootBefore(client);
    const isInForce = current !== undefined && sha256Of(rootFileText(current)) === sha256Of(text);
    const faults = isInForce ? [] : successionFaults(current, next, context.now());
    if (faults.length > 0)
      throw new Failures(faults.map((fault) => `portcullis: ${file} is not pushed: ${fault}`));
    const { version, sha256 } = await putRoot(client, text);
    print(context, values.json, { version, sha256 }, () => [
      `root version ${version} is in force, sha256 ${sha256}`,
    ]);
    return exitCodes.ok;
  },
);
