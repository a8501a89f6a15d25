/** `portcullis root key`: a new root key, made where it will sign. Only its public half is to leave that machine. */
import { exitCodes } from "#args/exits.ts";
import { flag, value } from "#args/spec.ts";
import { command, print } from "#cli/run/command.ts";
import { writePrivateKey, writePublicKey } from "#cli/root/key-files.ts";
import { makeRootKey } from "#cli/root/name.ts";

export const rootKeyMake = command(
  {
    name: "root key",
    summary: "make one root key, for a root to come",
    about: [
      "Makes an Ed25519 key: the private half in FILE, which is secret, the public half in FILE.pub, for root rotate " +
        "--add-key. Prints its key id. Nothing is overwritten.",
    ],
    positionals: {},
    options: {
      out: value("FILE", "where the private half goes", { required: true }),
      json: flag("key id and file names as JSON"),
    },
    examples: ["root key --out carol.pem"],
  },
  async ({ values }, context) => {
    const { out } = values;
    const key = makeRootKey();
    writePrivateKey(out, key);
    const publicFile = `${out}.pub`;
    writePublicKey(publicFile, key);
    const made = { keyid: key.keyid, private_file: out, public_file: publicFile };
    print(context, values.json, made, () => [key.keyid]);
    return Promise.resolve(exitCodes.ok);
  },
);
