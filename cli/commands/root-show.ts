/** `portcullis root show`: the root in force, or a root file before somebody signs it. */
import { type Connection, connectionHelp, connectionOptions, openClient } from "../client.ts";
import { type Command, readArguments } from "../command.ts";
import { exitCodes, UsageError } from "../output.ts";
import { loadRootFile } from "../root-key-files.ts";
import { rootInForce } from "../root-plane.ts";
import { changeLines, describeRoot, rootLines, rootWarning } from "../root-text.ts";

export const rootShow: Command = {
  name: "root show",
  summary: "show the root in force, or a root file",
  help: `portcullis root show [FILE]

Shows version, expiry, digest, roles, keys and who signed; without FILE, of the root in force. From 60 days before it
expires on, a warning says so. A FILE is read without a control plane.

  --from CURRENT      what FILE changes against this root file
  --json              the same as JSON
${connectionHelp}`,
  async run(args, { env, output, now }) {
    const { values, positionals } = readArguments(
      args,
      { from: { type: "string" }, json: { type: "boolean" }, ...connectionOptions } as const,
      1,
    );
    const [path] = positionals;
    if (path === undefined && values.from !== undefined) throw new UsageError("--from goes with a FILE");
    const file =
      path === undefined
        ? await rootInForce(openClient(values satisfies Connection, env))
        : loadRootFile(path);
    const before = values.from === undefined ? undefined : loadRootFile(values.from);
    const changes = before === undefined ? [] : changeLines(before, file);
    if (values.json === true) {
      output.line(
        JSON.stringify({ ...describeRoot(file, now()), ...(before === undefined ? {} : { changes }) }),
      );
      return exitCodes.ok;
    }
    for (const line of rootLines(file)) output.line(line);
    if (changes.length > 0) output.line("");
    for (const line of changes) output.line(line);
    const warning = rootWarning(file, now());
    if (warning !== undefined) output.error(`portcullis: ${warning}`);
    return exitCodes.ok;
  },
};
