/**
 * A whole control plane in this process: real SQLite, real signatures, the real app. The clock is a value that tests
 * move, and every statement that reaches the store is counted.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  buildRoot,
  makeRootKey,
  type RootKey,
  signRoot,
  type TargetsRole,
} from "#cli/root/name.ts";
import type { Change } from "#schema/intent.ts";
import { OnlineKeySet } from "#schema/api/trust.ts";
import { createApp } from "#worker/app.ts";
import type { Ports, Signer, Sql } from "#worker/ports/index.ts";
import { openStandalone } from "#worker/standalone/index.ts";
import { commit } from "#worker/commits/commit.ts";
import { memorySigner } from "./signing.ts";

export interface Plane {
  readonly ports: Ports;
  /** The app itself, for a server of the test's own. */
  readonly fetch: (request: Request) => Response | Promise<Response>;
  /** One request to the app, without a network. */
  request(path: string, init?: RequestInit): Promise<Response>;
  /** The same, as the operator with every scope; a body is sent as JSON. */
  operator(method: string, path: string, body?: unknown): Promise<Response>;
  commit(...changes: readonly Change[]): Promise<void>;
  /** Moves the clock by milliseconds. */
  advance(milliseconds: number): void;
  /** Batches and statements that reached the store so far. */
  queries(): number;
  /** From now on there are other online keys, as after a restart with new secrets. */
  turnKeys(): void;
  /** While set, every access to the store fails with this error. */
  fail(error: Error | undefined): void;
  close(): Promise<void>;
}

export interface PlaneOptions {
  /** A folder that outlives the plane; its own, removed with it, by default. */
  readonly data?: string;
  /** Milliseconds since the Unix epoch at the start. */
  readonly now?: number;
}

export async function openPlane(options: PlaneOptions = {}): Promise<Plane> {
  const data = options.data ?? mkdtempSync(join(tmpdir(), "portcullis-plane-"));
  let now = options.now ?? Date.now();
  let queries = 0;
  let failure: Error | undefined;
  const opened = await openStandalone({
    data,
    fleet: "f1",
    endpoints: [],
    clock: { now: () => now },
  });
  const access = (): void => {
    queries += 1;
    if (failure !== undefined) throw failure;
  };
  const { sql } = opened.ports;
  const counted: Sql = {
    prepare(text) {
      access();
      return sql.prepare(text);
    },
    batch(statements) {
      access();
      return sql.batch(statements);
    },
  };
  let keys = opened.ports.signer;
  const signer: Signer = {
    publicKey: (role) => keys.publicKey(role),
    sign: (role, bytes) => keys.sign(role, bytes),
    tokenSecret: () => opened.ports.signer.tokenSecret(),
  };
  const ports: Ports = { ...opened.ports, sql: counted, signer };
  const app = createApp(ports);
  const request: Plane["request"] = async (path, init) => app.request(path, init);
  return {
    ports,
    fetch: (sent) => app.fetch(sent),
    request,
    operator: (method, path, body) =>
      request(path, {
        method,
        headers: {
          authorization: `Bearer ${opened.admin.token}`,
          "content-type": "application/json",
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    async commit(...changes) {
      const result = await commit(ports, "test", {
        message: "test",
        source: "api",
        release: "now",
        changes: [...changes],
      });
      if (!result.ok) throw new Error(`the commit was refused: ${JSON.stringify(result)}`);
    },
    advance(milliseconds) {
      now += milliseconds;
    },
    queries: () => queries,
    turnKeys() {
      keys = memorySigner();
    },
    fail(error) {
      failure = error;
    },
    async close() {
      await opened.close();
      if (options.data === undefined) rmSync(data, { recursive: true, force: true });
    },
  };
}

export interface Ceremony {
  readonly keys: readonly RootKey[];
  readonly text: string;
}

/** A root over the plane's online keys, signed by the first `threshold` of its keys and of `before`'s. */
async function makeRoot(
  plane: Plane,
  version: number,
  before: Ceremony | undefined,
  targets: TargetsRole | undefined,
): Promise<Ceremony> {
  const response = await plane.operator("GET", "/v1/root/keys");
  const { keys: online } = OnlineKeySet.parse(await response.json());
  const keys = [makeRootKey(), makeRootKey(), makeRootKey()];
  const signed = buildRoot({
    version,
    now: plane.ports.clock.now(),
    threshold: 2,
    rootKeys: keys.map((k) => k.key),
    online: {
      targets: online.targets.key,
      snapshot: online.snapshot.key,
      timestamp: online.timestamp.key,
    },
    targets,
  });
  return {
    keys,
    text: signRoot(signed, [...keys.slice(0, 2), ...(before?.keys.slice(0, 2) ?? [])]),
  };
}

/** Makes a 2-of-3 root and puts it in force; the control plane's key signs targets unless `targets` says who does. */
export async function installRoot(
  plane: Plane,
  version = 1,
  before?: Ceremony,
  targets?: TargetsRole,
): Promise<Ceremony> {
  const ceremony = await makeRoot(plane, version, before, targets);
  const response = await plane.operator("PUT", "/v1/root", { root: ceremony.text });
  if (response.status !== 201) throw new Error(`the root was refused: ${await response.text()}`);
  return ceremony;
}

/** A host in intent, with nothing on it. */
export const host = (key: string): Change => ({
  op: "put",
  kind: "host",
  key,
  body: { addresses: [], roles: [], labels: {} },
});

/** A VPN on a host, so that its bundle is another than before. */
export const overlay = (key: string, on: string, subnet = "10.8.0.0/24"): Change => ({
  op: "put",
  kind: "overlay",
  key,
  body: { host: on, interfaces: ["wg0"], subnets: [subnet], policy: "full-isolation", groups: [] },
});
