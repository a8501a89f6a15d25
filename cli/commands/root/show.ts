/** `portcullis root show`: the root in force, or a root file before somebody signs it. */
import { exitCodes, UsageError } from "#args/exits.ts";
import { flag, value } from "#args/spec.ts";
import { connectionOptions, openClient } from "#cli/http/client.ts";
import { command } from "#cli/run/command.ts";
import { loadRootFile } from "#cli/root/key-files.ts";
import { readRootInForce } from "#cli/root/plane.ts";
import { listChangeLines, describeRoot, listRootLines, rootWarning } from "#cli/root/text.ts";

export const rootShow = command(
  {
    name: "root show",
    summary: "show the root in force, or a root file",
    about: [
      "Shows version, expiry, digest, roles, keys and who signed; without FILE, of the root in force. From 60 days " +
        "before it expires on, a warning says so. A FILE is read without a control plane.",
    ],
    positionals: { file: { value: "FILE" } },
    options: {
      from: value("FILE", "what FILE changes against this root file"),
      json: flag("the same as JSON"),
      ...connectionOptions,
    },
    examples: ["root show", "root show 2.root.json --from 1.root.json"],
  },
  async ({ values, positionals }, { env, output, now }) => {
    const path = positionals.file;
    if (path === undefined && values.from !== undefined)
      throw new UsageError("--from goes with a FILE");
    const file =
      path === undefined ? await readRootInForce(openClient(values, env)) : loadRootFile(path);
    const before = values.from === undefined ? undefined : loadRootFile(values.from);
    const changes = before === undefined ? [] : listChangeLines(before, file);
    if (values.json) {
      output.line(
        JSON.stringify({
          ...describeRoot(file, now()),
          ...(before === undefined ? {} : { changes }),
        }),
      );
      return exitCodes.ok;
    }
    for (const line of listRootLines(file)) output.line(line);
    if (changes.length > 0) output.line("");
    for (const line of changes) output.line(line);
    const warning = rootWarning(file, now());
    if (warning !== undefined) output.error(`portcullis: ${warning}`);
    return exitCodes.ok;
  },
);
