/**
 * What the contract suite needs of an adapter. The suite runs in Node and inside workerd, so nothing here may import
 * node:*; requests go straight to the app.
 */
import { expect } from "vitest";
import { type Finding, Problem } from "#schema/api/common.ts";
import type { Change, Kind, ReleaseTime } from "#schema/intent.ts";
import { createApp } from "#worker/app.ts";
import type { Ports } from "#worker/ports/index.ts";
import { commit, type CommitResult } from "#worker/commits/commit.ts";
import { expectDeclared } from "./declared.ts";

/** An adapter with an empty, migrated store. */
export interface Adapter {
  readonly ports: Ports;
  /** The operator token whose hash is in the settings. */
  readonly admin: string;
  /** Changes one byte of a stored blob behind the adapter's back. */
  damage(sha256: string): Promise<void>;
  close(): Promise<void>;
}

export interface Harness extends Adapter {
  /** One request; with a body it is sent as JSON. Without a token, the operator's. */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  put(kind: Kind, key: string, body: unknown): Promise<Answer>;
  commit(changes: readonly Change[], parent?: number, release?: ReleaseTime): Promise<CommitResult>;
  /** Moves the clock by milliseconds. */
  advance(milliseconds: number): void;
  /** One number from the database. */
  count(sql: string): Promise<number>;
}

export interface CallOptions {
  readonly body?: unknown;
  /** Sent as it is, in place of `body`. */
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** null sends none. */
  readonly token?: string | null;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON, undefined when it is not. */
  readonly json: unknown;
}

export async function openHarness(open: () => Promise<Adapter>): Promise<Harness> {
  const adapter = await open();
  let now = Date.now();
  const ports: Ports = { ...adapter.ports, clock: { now: () => now } };
  const app = createApp(ports);
  const call: Harness["call"] = async (method, path, options = {}) => {
    const { body, text, token = adapter.admin } = options;
    const content = text ?? (body === undefined ? undefined : JSON.stringify(body));
    const response = await app.request(path, {
      method,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(content === undefined ? {} : { "content-type": "application/json" }),
        ...options.headers,
      },
      ...(content === undefined ? {} : { body: content }),
    });
    const answered = await response.text();
    const { status, headers } = response;
    const answer: Answer = { status, headers, text: answered, json: parse(answered) };
    expectDeclared(method, path, answer);
    return answer;
  };
  return {
    ...adapter,
    ports,
    call,
    put: (kind, key, body) => call("PUT", pathOf(kind, key), { body }),
    commit: (changes, parent, release = "now") =>
      commit(ports, "test", {
        message: "test",
        source: "api",
        release,
        changes: [...changes],
        ...(parent === undefined ? {} : { parent }),
      }),
    advance: (milliseconds) => {
      now += milliseconds;
    },
    count: async (sql) => (await ports.sql.prepare(sql).first<number>("n")) ?? -1,
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function pathOf(kind: Kind, key: string): string {
  const [overlay = "", cn = ""] = key.split("/");
  switch (kind) {
    case "host":
      return `/v1/hosts/${key}`;
    case "overlay":
      return `/v1/overlays/${key}`;
    case "service":
      return `/v1/services/${key}`;
    case "zone":
      return `/v1/zones/${key}`;
    case "member":
      return `/v1/overlays/${overlay}/members/${cn}`;
  }
}

export const hostChange = (key: string): Change => ({
  op: "put",
  kind: "host",
  key,
  body: { addresses: [], roles: [], labels: {} },
});

/** A group-based overlay with groups dev and ops, of 10.`octet`.0.0/16 and fd00:`octet`::/64. */
export const overlayChange = (key: string, host: string, octet: number): Change => ({
  op: "put",
  kind: "overlay",
  key,
  body: {
    host,
    interfaces: [`tun${octet}`],
    subnets: [`10.${octet}.0.0/16`, `fd00:${octet}::/64`],
    policy: "group-based",
    groups: ["dev", "ops"],
  },
});

export const memberChange = (
  key: string,
  group: string,
  ...addresses: readonly string[]
): Change => ({
  op: "put",
  kind: "member",
  key,
  body: { group, addresses: [...addresses] },
});

/** The first finding of a refusal that has one at least. */
export function firstError(answer: Answer): Finding {
  const [first] = Problem.parse(answer.json).errors ?? [];
  if (first === undefined) throw new Error(`no finding in ${answer.text}`);
  return first;
}

/** Everything that a mutation could have changed, blobs apart. */
export async function everything(h: Harness): Promise<unknown> {
  const tables = [
    "fleet",
    "revision",
    "intent",
    "audit",
    "repository",
    "publication",
    "idempotency",
    "withheld",
    "rollout",
    "rollout_host",
  ];
  const results = await h.ports.sql.batch(
    tables.map((table) => h.ports.sql.prepare(`SELECT * FROM ${table}`)),
  );
  return results.map((result) => result.results);
}

/** An overlay of host gw as a body; the one that route tests begin with. */
export const office = {
  host: "gw",
  interfaces: ["tun0"],
  subnets: ["10.8.0.0/24", "fd00:8::/64"],
  policy: "group-based",
  groups: ["dev", "ops"],
};

/** A problem of this code, in the shape that every refusal has. */
export function expectProblem(
  answer: Answer,
  status: number,
  code: string,
): ReturnType<typeof Problem.parse> {
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  const body = Problem.parse(answer.json);
  expect(body).toMatchObject({ status, code, type: `urn:portcullis:problem:${code}` });
  expect(answer.status).toBe(status);
  expect(answer.headers.get("x-request-id")).toBe(body.request_id);
  return body;
}
