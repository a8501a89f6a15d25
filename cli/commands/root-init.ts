/**
 * `portcullis root init`: the first root ceremony. Makes the root keys, fetches the online keys' public halves, signs
 * root version 1 and puts it in force. Nothing is ever overwritten; private keys go to files of mode 0600 and nowhere
 * else.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { OnlineKeysResponse, RootResponse } from "#schema/wire.ts";
import { type Connection, connectionHelp, connectionOptions, openClient } from "../client.ts";
import { type Command, readArguments } from "../command.ts";
import { exitCodes, Failure, UsageError } from "../output.ts";
import { buildRoot, keyId, newRootKey, type OnlineKeys, type RootKey, signRoot } from "../root.ts";

const keysMax = 16;

export const rootInit: Command = {
  name: "root init",
  summary: "make the root of trust and put it in force",
  help: `portcullis root init --threshold M --keys N --out DIR

Makes N Ed25519 root keys in DIR, each in a file of its own, and a root that M of them must sign from now on.
Keep the key files offline and apart; every file besides root.json is secret.

  --threshold M       how many root keys must sign a root
  --keys N            how many root keys to make, at most ${keysMax}
  --out DIR           where the files go; nothing in it is overwritten
  --fleet NAME        refuse any other control plane than this fleet's
  --json              what was made as JSON, without the keys
${connectionHelp}`,
  async run(args, { env, output, now }) {
    const { values } = readArguments(
      args,
      {
        threshold: { type: "string" },
        keys: { type: "string" },
        out: { type: "string" },
        fleet: { type: "string" },
        json: { type: "boolean" },
        ...connectionOptions,
      } as const,
      0,
    );
    const count = wholeNumber("--keys", values.keys);
    const threshold = wholeNumber("--threshold", values.threshold);
    if (threshold > count) throw new UsageError("--threshold is more than --keys");
    if (values.out === undefined) throw new UsageError("--out is needed");
    const client = openClient(values satisfies Connection, env);
    const { fleet, keys } = await client.call("GET", "/v1/root/keys", OnlineKeysResponse);
    if (values.fleet !== undefined && values.fleet !== fleet)
      throw new Failure(`this is the control plane of fleet ${fleet}, not of ${values.fleet}`);
    const online = checkedKeys(keys);
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
    const stored = await client.call("PUT", "/v1/root", RootResponse, { root: text });
    const sha256 = createHash("sha256").update(text).digest("hex");
    if (stored.sha256 !== sha256) throw new Failure("the control plane stored another root than was sent");
    if (values.json === true) {
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
};

function wholeNumber(option: string, text: string | undefined): number {
  if (text === undefined) throw new UsageError(`${option} is needed`);
  const number = /^[1-9]\d?$/.test(text) ? Number(text) : keysMax + 1;
  if (number > keysMax) throw new UsageError(`${option} is a number from 1 to ${keysMax}`);
  return number;
}

/** A key under a name that is not its own digest would end up in a root that every agent refuses. */
function checkedKeys(keys: OnlineKeysResponse["keys"]): OnlineKeys {
  for (const { keyid, key } of Object.values(keys))
    if (keyId(key) !== keyid) throw new Failure("the control plane names a key by another's id");
  return { targets: keys.targets.key, snapshot: keys.snapshot.key, timestamp: keys.timestamp.key };
}

/** @returns the path of root.json */
function writeFiles(directory: string, text: string, keys: readonly RootKey[]): string {
  const files = keys.map(({ keyid, privateKey }) => ({
    path: join(directory, `root-${keyid.slice(0, 16)}.pem`),
    content: privateKey.export({ type: "pkcs8", format: "pem" }),
  }));
  const rootFile = join(directory, "root.json");
  if (existsSync(rootFile)) throw new Failure(`${rootFile} exists; nothing was written`);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const { path, content } of files)
      writeFileSync(path, content, { flag: "wx", mode: 0o600, flush: true });
    writeFileSync(rootFile, text, { flag: "wx", mode: 0o644, flush: true });
  } catch (error) {
    throw new Failure(`cannot write to ${directory}: ${error instanceof Error ? error.message : ""}`);
  }
  return rootFile;
}
