/**
 * `portcullis root init`: the first root ceremony. Makes the root keys, fetches the online keys' public halves, signs
 * root version 1 and puts it in force. Nothing is ever overwritten; private keys go to files of mode 0600 and nowhere
 * else.
 */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { exitCodes, UsageError } from "#args/exits.ts";
import { flag, value } from "#args/spec.ts";
import { connectionOptions, openClient } from "../../client.ts";
import { command, wholeNumber } from "../../command.ts";
import { Failure } from "../../output.ts";
import { writeNew, writePrivateKey } from "../../root-key-files.ts";
import { onlineKeysOf, putRoot } from "../../root-plane.ts";
import { rootKeysMax } from "../../root-succession.ts";
import { buildRoot, newRootKey, type RootKey, signRoot } from "../../root.ts";

export const rootInit = command(
  {
    name: "root init",
    summary: "make the root of trust and put it in force",
    about: [
      "Makes N Ed25519 root keys in DIR, each in a file of its own, and a root that M of them must sign from now on. " +
        "Keep the key files offline and apart; every file besides root.json is secret.",
    ],
    positionals: {},
    options: {
      threshold: value("M", "how many root keys must sign a root", { required: true }),
      keys: value("N", `how many root keys to make, at most ${rootKeysMax}`, { required: true }),
      out: value("DIR", "where the files go; nothing in it is overwritten", { required: true }),
      fleet: value("NAME", "refuse any other control plane than this fleet's"),
      json: flag("what was made as JSON, without the keys"),
      ...connectionOptions,
    },
    examples: ["root init --threshold 2 --keys 3 --out root/"],
  },
  async ({ values }, { env, output, now }) => {
    const count = wholeNumber("--keys", values.keys, rootKeysMax);
    const threshold = wholeNumber("--threshold", values.threshold, rootKeysMax);
    if (threshold > count) throw new UsageError("--threshold is more than --keys");
    const client = openClient(values, env);
    const { fleet, online } = await onlineKeysOf(client);
    if (values.fleet !== undefined && values.fleet !== fleet)
      throw new Failure(`this is the control plane of fleet ${fleet}, not of ${values.fleet}`);
    const rootKeys = Array.from({ length: count }, newRootKey);
    const signed = buildRoot({
      version: 1,
      now: now(),
      threshold,
      rootKeys: rootKeys.map((k) => k.key),
      online,
    });
    const text = signRoot(signed, rootKeys.slice(0, threshold));
    const rootFile = writeFiles(values.out, text, rootKeys);
    const { sha256 } = await putRoot(client, text);
    if (values.json) {
      const { version, expires } = signed;
      output.line(JSON.stringify({ root: rootFile, version, sha256, expires, keys: count, threshold }));
      return exitCodes.ok;
    }
    output.line(`root      ${rootFile}`);
    output.line(`keys      ${count} in ${values.out}, any ${threshold} sign; expires ${signed.expires}`);
    output.line(`sha256    ${sha256}`);
    output.line("");
    output.line("Move the key files to separate offline places, then enrol hosts: portcullis enrol HOST");
    return exitCodes.ok;
  },
);

/** @returns the path of root.json */
function writeFiles(directory: string, text: string, keys: readonly RootKey[]): string {
  const rootFile = join(directory, "root.json");
  if (existsSync(rootFile)) throw new Failure(`${rootFile} exists; nothing was written`);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new Failure(`cannot write to ${directory}: ${error instanceof Error ? error.message : ""}`);
  }
  for (const key of keys) writePrivateKey(join(directory, `root-${key.keyid.slice(0, 16)}.pem`), key);
  writeNew(rootFile, text, 0o644);
  return rootFile;
}
