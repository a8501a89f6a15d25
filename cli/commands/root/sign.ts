/** `portcullis root sign`: adds one signature to a root file. Needs no network, so that the key's machine has none. */
import { exitCodes } from "#args/exits.ts";
import { flag, value } from "#args/spec.ts";
import { command } from "#cli/run/command.ts";
import { Failure } from "#cli/text/output.ts";
import { signersAmong, withSignature } from "#cli/root/file.ts";
import { loadRootFile, readPrivateKey, replaceRootFile } from "#cli/root/key-files.ts";

export const rootSign = command(
  {
    name: "root sign",
    summary: "add one signature to a root file",
    about: [
      "Adds KEYFILE's signature to FILE. Look at it before: root show FILE --from CURRENT. Several people sign one " +
        "after the other, or each a copy of their own: root push takes all copies.",
    ],
    positionals: { file: { value: "FILE", required: true } },
    options: {
      key: value("KEYFILE", "a private root key, of the root to come or of the one before", {
        required: true,
      }),
      from: value(
        "FILE",
        "the root file before; a key of neither is refused, which this needs for a key that goes",
      ),
      json: flag("who signed, and how many are needed, as JSON"),
    },
    examples: ["root sign 2.root.json --key carol.pem --from 1.root.json"],
  },
  async ({ values, positionals }, { output }) => {
    const path = positionals.file;
    const key = readPrivateKey(values.key);
    const file = loadRootFile(path);
    const before = values.from === undefined ? [] : [loadRootFile(values.from)];
    const authorities = [...before, file].map(({ signed }) => signed);
    if (!authorities.some(({ roles }) => roles.root.keyids.includes(key.keyid)))
      throw new Failure(
        `${key.keyid} is no root key of ${authorities.map(({ version }) => `version ${version}`).join(" or ")}` +
          (before.length === 0 ? "; a key of the root before needs --from CURRENT" : ""),
      );
    const signed = withSignature(file, key);
    replaceRootFile(path, signed);
    const { version } = file.signed;
    const needs = authorities.map((authority) => ({
      version: authority.version,
      threshold: authority.roles.root.threshold,
      signed: signersAmong(signed, authority).length,
    }));
    if (values.json) output.line(JSON.stringify({ version, keyid: key.keyid, needs }));
    else {
      output.line(`signed root version ${version} with ${key.keyid}`);
      for (const need of needs)
        output.line(
          `${need.signed} of ${need.threshold} needed by the root keys of version ${need.version}`,
        );
    }
    return Promise.resolve(exitCodes.ok);
  },
);
