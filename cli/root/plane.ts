/** The control plane's side of a root ceremony: the root in force, its online keys, and putting the next root in force. */
import { keyIdOf } from "#core/tuf/read.ts";
import type { StoredRoot } from "#schema/api/trust.ts";
import { type Client, Refusal } from "#cli/http/client.ts";
import { Failure } from "#cli/text/output.ts";
import { type RootFile, readRootFile, signersAmong } from "./file.ts";
import { type OnlineKeys, sha256Of } from "./name.ts";

/** @throws Failure when what is served does not carry enough signatures of its own root keys */
export async function readRootInForce(client: Client): Promise<RootFile> {
  const file = readRootFile(await client.text("GET /v1/root", {}), `the root of ${client.url}`);
  if (signersAmong(file, file.signed).length < file.signed.roles.root.threshold)
    throw new Failure(`the root of ${client.url} is not signed by its own root keys`);
  return file;
}

/** The same, or undefined before the first root. */
export async function readRootBefore(client: Client): Promise<RootFile | undefined> {
  try {
    return await readRootInForce(client);
  } catch (error) {
    if (error instanceof Refusal && error.code === "root_missing") return undefined;
    throw error;
  }
}

/** A key under a name that is not its own digest would end up in a root that every agent refuses. */
export async function onlineKeysOf(client: Client): Promise<{ fleet: string; online: OnlineKeys }> {
  const { fleet, keys } = await client.call("GET /v1/root/keys", {});
  for (const { keyid, key } of Object.values(keys))
    if (keyIdOf(key) !== keyid) throw new Failure("the control plane names a key by another's id");
  const { targets, snapshot, timestamp } = keys;
  return {
    fleet,
    online: { targets: targets.key, snapshot: snapshot.key, timestamp: timestamp.key },
  };
}

/** @throws Refusal when the control plane does not take it; Failure when it says that it stored something else */
export async function putRoot(client: Client, text: string): Promise<StoredRoot> {
  const stored = await client.call("PUT /v1/root", { body: { root: text } });
  if (stored.sha256 !== sha256Of(text))
    throw new Failure("the control plane stored another root than was sent");
  return stored;
}
