/**
 * `portcullis root init`: the first root ceremony. Makes the root keys, fetches the online keys' public halves, signs
 * root version 1 and puts it in force. Nothing is ever overwritten; private keys go to files of mode 0600 and nowhere
 * else.
 */
import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { exitCodes, UsageError } from "#args/exits.ts";
import { flag, value } from "#args/spec.ts";
import {
  type Client,
  connectionOptions,
  openClient,
  Refusal,
  Unreachable,
} from "#cli/http/client.ts";
import { command, parseWholeNumber } from "#cli/run/command.ts";
import { Failure } from "#cli/text/output.ts";
import { writeNew, writePrivateKey } from "#cli/root/key-files.ts";
import { onlineKeysOf, putRoot, readRootBefore } from "#cli/root/plane.ts";
import { rootKeysMax } from "#cli/root/succession.ts";
import { buildRoot, makeRootKey, type RootKey, signRoot } from "#cli/root/name.ts";

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
    const count = parseWholeNumber("--keys", values.keys, rootKeysMax);
    const threshold = parseWholeNumber("--threshold", values.threshold, rootKeysMax);
    if (threshold > count) throw new UsageError("--threshold is more than --keys");
    const client = openClient(values, env);
    const { fleet, online } = await onlineKeysOf(client);
    if (values.fleet !== undefined && values.fleet !== fleet)
      throw new Failure(`this is the control plane of fleet ${fleet}, not of ${values.fleet}`);
    const before = await readRootBefore(client);
    if (before !== undefined)
      throw new Failure(
        `root version ${before.signed.version} is in force here already; nothing was written. ` +
          "portcullis root rotate makes the next one",
      );
    const rootKeys = Array.from({ length: count }, makeRootKey);
    const signed = buildRoot({
      version: 1,
      now: now(),
      threshold,
      rootKeys: rootKeys.map((k) => k.key),
      online,
    });
    const text = signRoot(signed, rootKeys.slice(0, threshold));
    const written = writeFiles(values.out, text, rootKeys);
    const { sha256 } = await putInForce(client, text, written);
    const rootFile = written.root;
    if (values.json) {
      const { version, expires } = signed;
      output.line(
        JSON.stringify({ root: rootFile, version, sha256, expires, keys: count, threshold }),
      );
      return exitCodes.ok;
    }
    output.line(`root      ${rootFile}`);
    output.line(
      `keys      ${count} in ${values.out}, any ${threshold} sign; expires ${signed.expires}`,
    );
    output.line(`sha256    ${sha256}`);
    output.line("");
    output.line(
      "Move the key files to separate offline places, then enrol hosts: portcullis enrol HOST",
    );
    return exitCodes.ok;
  },
);

interface Written {
  readonly root: string;
  readonly keys: readonly string[];
  /** The first directory that was made for them; undefined where all were there. */
  readonly made: string | undefined;
}

function writeFiles(directory: string, text: string, keys: readonly RootKey[]): Written {
  const root = join(directory, "root.json");
  if (existsSync(root)) throw new Failure(`${root} exists; nothing was written`);
  let made: string | undefined;
  try {
    made = mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new Failure(
      `cannot write to ${directory}: ${error instanceof Error ? error.message : ""}`,
    );
  }
  const files = keys.map((key) => join(directory, `root-${key.keyid.slice(0, 16)}.pem`));
  for (const [i, key] of keys.entries()) writePrivateKey(files[i] ?? "", key);
  writeNew(root, text, 0o644);
  return { root, keys: files, made };
}

/**
 * Keys of a root that is not in force open nothing, and whoever finds them would take them for more. Where no answer
 * came they may be in force, so they stay. @throws Failure, Unreachable
 */
async function putInForce(
  client: Client,
  text: string,
  written: Written,
): Promise<{ sha256: string }> {
  try {
    return await putRoot(client, text);
  } catch (error) {
    if (error instanceof Unreachable)
      throw new Unreachable(
        `${error.message}; it may be in force or not: keep the files, and ask portcullis root show`,
      );
    if (!(error instanceof Refusal)) throw error;
    for (const file of [written.root, ...written.keys]) rmSync(file);
    removeEmpty(resolve(dirname(written.root)), written.made);
    throw new Failure(
      `${error.message}; nothing that was made here is in force; its files are removed`,
    );
  }
}

/** Directories that were made and hold nothing. @param made the first that was made; undefined: none was */
function removeEmpty(directory: string, made: string | undefined): void {
  if (made === undefined || readdirSync(directory).length > 0) return;
  rmdirSync(directory);
  if (directory !== made) removeEmpty(dirname(directory), made);
}
