/** `portcullis root key`: a new root key, made where it will sign. Only its public half is to leave that machine. */
import { type Command, readArguments } from "../command.ts";
import { exitCodes, UsageError } from "../output.ts";
import { writePrivateKey, writePublicKey } from "../root-key-files.ts";
import { newRootKey } from "../root.ts";

export const rootKeyMake: Command = {
  name: "root key",
  summary: "make one root key, for a root to come",
  help: `portcullis root key --out FILE

Makes an Ed25519 key: the private half in FILE, which is secret, the public half in FILE.pub, for root rotate
--add-key. Prints its key id. Nothing is overwritten.

  --out FILE          where the private half goes
  --json              key id and file names as JSON`,
  async run(args, { output }) {
    const { values } = readArguments(
      args,
      { out: { type: "string" }, json: { type: "boolean" } } as const,
      0,
    );
    if (values.out === undefined) throw new UsageError("--out is needed");
    const key = newRootKey();
    writePrivateKey(values.out, key);
    const publicFile = `${values.out}.pub`;
    writePublicKey(publicFile, key);
    const made = { keyid: key.keyid, private_file: values.out, public_file: publicFile };
    output.line(values.json === true ? JSON.stringify(made) : key.keyid);
    return exitCodes.ok;
  },
};
