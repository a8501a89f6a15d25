/**
 * A plain TUF repository that a test can make say anything: real Ed25519 signatures by whatever keys stand in it, and
 * every file can be put out of step with the others. Served on loopback, port 0.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { sign } from "node:crypto";
import { makeRootKey, type RootKey, sha256Of } from "#cli/root/name.ts";
import { encodeBundle } from "#schema/bundle.ts";
import { encodeCanonical } from "#schema/canonical.ts";
import { longestLife, type Role, specVersion } from "#schema/tuf.ts";
import { sha256 } from "#test/attack/plane.ts";
import { admitting } from "#test/attack/victim.ts";

type Payload = Readonly<Record<string, unknown>>;
export type OnlineRole = Exclude<Role, "root">;

/** A role's keys as root names them; `key` may be of another kind than `RootKey` has. */
export interface RoleKeys {
  readonly keyid: string;
  readonly key: object;
  readonly sign: (bytes: Uint8Array) => string;
}

interface RoleState {
  version: number;
  threshold: number;
  keys: readonly RoleKeys[];
  /** Those that sign, where they are not the keys. */
  signers?: readonly RoleKeys[];
  expires: string;
  /** Last word on the payload. */
  edit: (payload: Payload) => Payload;
}

export interface Repository {
  readonly url: string;
  readonly roles: Record<Role, RoleState>;
  bundle: Uint8Array;
  /** Served paths and their bytes, such as `metadata/timestamp.json`. */
  readonly files: Map<string, Uint8Array>;
  /** Paths asked for, in order. */
  readonly asked: string[];
  /** The next root, signed by its keys and those of the root before. @returns its text */
  publishRoot(): string;
  /** Signs all that is online anew; the versions of `raised` go up. */
  publish(...raised: readonly OnlineRole[]): void;
  close(): Promise<void>;
}

/** In 30 days, as the suite has it, or as late as a role's file may end. */
const latest = (role: Role): string => {
  const life = Math.min(30 * 86_400_000, longestLife[role]);
  return `${new Date(Date.now() + life).toISOString().slice(0, 19)}Z`;
};

const roleKeys = ({ keyid, key, privateKey }: RootKey): RoleKeys => ({
  keyid,
  key,
  sign: (bytes) => sign(null, bytes, privateKey).toString("hex"),
});
export const newKey = (): RoleKeys => roleKeys(makeRootKey());

const newRole = (role: Role): RoleState => ({
  version: 0,
  threshold: 1,
  keys: [newKey()],
  expires: latest(role),
  edit: (payload) => payload,
});

export const bundleFor = (...addresses: readonly string[]): Uint8Array =>
  encodeBundle(admitting(...addresses));

/** A role's file: the payload as the role's `edit` leaves it, signed by its signers and by `also`. */
function signedText(
  role: Role,
  state: RoleState,
  payload: Payload,
  also: readonly RoleKeys[],
): string {
  const { keys, signers, edit, version, expires } = state;
  const signed = edit({ _type: role, spec_version: specVersion, version, expires, ...payload });
  const by = new Map([...also, ...(signers ?? keys)].map((key) => [key.keyid, key]));
  const signatures = [...by].map(([keyid, key]) => ({
    keyid,
    sig: key.sign(encodeCanonical(signed)),
  }));
  return JSON.stringify({ signatures, signed });
}

function rootPayload(roles: Readonly<Record<Role, RoleState>>): Payload {
  const all = Object.entries(roles);
  return {
    consistent_snapshot: true,
    keys: Object.fromEntries(
      all.flatMap(([, { keys }]) => keys.map(({ keyid, key }) => [keyid, key])),
    ),
    roles: Object.fromEntries(
      all.map(([role, { keys, threshold }]) => [
        role,
        { keyids: keys.map(({ keyid }) => keyid), threshold },
      ]),
    ),
  };
}

/** Version 1 of everything. */
export async function openRepository(owner: { host: string; fleet: string }): Promise<Repository> {
  const roles = {
    root: newRole("root"),
    targets: newRole("targets"),
    snapshot: newRole("snapshot"),
    timestamp: newRole("timestamp"),
  };
  const files = new Map<string, Uint8Array>();
  const asked: string[] = [];
  let rootSigners: readonly RoleKeys[] = [];
  const { url, close } = await serve(files, asked);
  const write = (
    role: Role,
    path: string,
    payload: Payload,
    also: readonly RoleKeys[] = [],
  ): string => {
    const text = signedText(role, roles[role], payload, also);
    files.set(`metadata/${path}`, Buffer.from(text));
    return text;
  };
  const pin = (role: Role, text: string) => ({
    version: roles[role].version,
    length: Buffer.byteLength(text),
    hashes: { sha256: sha256Of(text) },
  });
  const repository: Repository = {
    url,
    roles,
    bundle: bundleFor("198.51.100.1"),
    files,
    asked,
    publishRoot() {
      roles.root.version += 1;
      const text = write(
        "root",
        `${roles.root.version}.root.json`,
        rootPayload(roles),
        rootSigners,
      );
      rootSigners = roles.root.keys;
      return text;
    },
    publish(...raised) {
      for (const role of raised) roles[role].version += 1;
      const digest = sha256(repository.bundle);
      files.set(`targets/${digest}.bundle.json`, repository.bundle);
      const seq = roles.targets.version;
      const issued = `${new Date().toISOString().slice(0, 19)}Z`;
      const custom = {
        ...owner,
        seq,
        revision: 1,
        min_revision: 1,
        issued,
        prev: null,
        mode: "enforce",
        crit: [],
      };
      const target = { length: repository.bundle.length, hashes: { sha256: digest }, custom };
      const targets = write("targets", `${seq}.targets.json`, {
        targets: { "bundle.json": target },
      });
      const meta = { "targets.json": pin("targets", targets) };
      const snapshot = write("snapshot", `${roles.snapshot.version}.snapshot.json`, {
        meta,
        custom: owner,
      });
      write("timestamp", "timestamp.json", {
        meta: { "snapshot.json": pin("snapshot", snapshot) },
      });
    },
    close,
  };
  repository.publishRoot();
  repository.publish("targets", "snapshot", "timestamp");
  return repository;
}

async function serve(files: ReadonlyMap<string, Uint8Array>, asked: string[]) {
  const server = createServer((request, response) => {
    const path = (request.url ?? "/").slice(1);
    asked.push(path);
    const bytes = files.get(path);
    response.writeHead(bytes === undefined ? 404 : 200).end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: (): Promise<void> =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
