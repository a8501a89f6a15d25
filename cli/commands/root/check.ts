/** `portcullis root check`: whether a root may follow the one before it, as every host and the control plane judge it. */
import { exitCodes } from "#args/exits.ts";
import { flag, value } from "#args/spec.ts";
import { connectionOptions, openClient } from "#cli/http/client.ts";
import { command, print } from "#cli/run/command.ts";
import { Failures } from "#cli/text/output.ts";
import { loadRootFile } from "#cli/root/key-files.ts";
import { readRootBefore } from "#cli/root/plane.ts";
import { successionFaults } from "#cli/root/succession.ts";

export const rootCheck = command(
  {
    name: "root check",
    summary: "say whether a signed root may follow",
    about: [
      "Reads FILE as hosts do and holds it against the root before: version, both thresholds, expiry. Changes nothing. " +
        "Whether it names the control plane's online keys, root push is told by the control plane.",
    ],
    positionals: { file: { value: "FILE", required: true } },
    options: {
      from: value(
        "CURRENT",
        "the file of the root in force, instead of asking the control plane for it",
      ),
      json: flag("what is wrong as JSON"),
      ...connectionOptions,
    },
    examples: ["root check 2.root.json --from 1.root.json"],
  },
  async ({ values, positionals: { file } }, context) => {
    const next = loadRootFile(file);
    const current =
      values.from === undefined
        ? await readRootBefore(openClient(values, context.env))
        : loadRootFile(values.from);
    const faults = successionFaults(current, next, context.now());
    const { version } = next.signed;
    if (faults.length > 0 && !values.json)
      throw new Failures(faults.map((fault) => `portcullis: ${file} may not follow: ${fault}`));
    print(context, values.json, { version, faults }, () => [`root version ${version} may follow`]);
    return faults.length === 0 ? exitCodes.ok : exitCodes.failed;
  },
);
