/**
 * Whether a start belongs to the database that it opens. What is signed under another fleet's name, or by keys that the
 * root in force does not name, no host accepts, and nobody would be told: such a start is refused before it changes
 * anything. Keys are changed on purpose by saying so, once: the key file remembers it until the next root.
 */
import type { Root } from "#schema/tuf.ts";
import type { Sql } from "#worker/ports/index.ts";
import { readRootInForce, findUnnamedRoles } from "#worker/signing/index.ts";
import { createSigner } from "#worker/ports/signer.ts";
import { readSignedFleet } from "#worker/db/deployment.ts";
import {
  keepSecrets,
  makeSecrets,
  openSecrets,
  readSecrets,
  type Secrets,
  secretsFile,
} from "./secrets.ts";

export interface Start {
  readonly data: string;
  readonly fleet: string;
  /** `known`: those that hosts trust; `new`: an operator says that they are to be others. */
  readonly keys: "known" | "new";
}

/** The secrets of the deployment; made where it is new. @throws Error with one sentence for the operator */
export async function openDeployment(sql: Sql, { data, fleet, keys }: Start): Promise<Secrets> {
  const signed = await readSignedFleet(sql);
  if (signed !== undefined && signed !== fleet)
    throw new Error(
      `the database in ${data} belongs to fleet ${signed}, whose hosts accept nothing of fleet ${fleet}: start with --fleet ${signed}, or with another --data`,
    );
  const root = (await readRootInForce(sql))?.signed;
  if (root === undefined) return openSecrets(data);
  const file = secretsFile(data);
  const found = await readSecrets(file);
  if (found?.instead_of_root === root.version) return found;
  const wrong = found === undefined ? "is missing" : await findOtherKeys(root, found);
  if (found !== undefined && wrong === undefined) return found;
  if (keys === "new")
    return keepSecrets(file, { ...(found ?? makeSecrets()), instead_of_root: root.version });
  throw new Error(
    `${file} ${wrong}, and hosts trust the keys that root ${root.version} names: ${remedy}`,
  );
}

/** Undefined when the root names these keys. */
async function findOtherKeys(root: Root, secrets: Secrets): Promise<string | undefined> {
  const roles = await findUnnamedRoles(
    root,
    createSigner(secrets.signing_keys, secrets.token_secret),
  );
  return roles.length === 0 ? undefined : `holds other keys for ${roles.join(" and ")}`;
}

const remedy =
  "put it back from a backup; only if its keys are lost, stolen or replaced on purpose, start once with --new-keys and follow docs/lost.md, or SECURITY.md after a theft";
