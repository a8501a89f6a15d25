/**
 * A control plane for attacks: it signs for real, with production's publishing code and real keys, and then answers
 * what a test tells it to. Listens on loopback, port 0, and keeps every byte it was sent.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createHash } from "node:crypto";
import { text } from "node:stream/consumers";
import { buildRoot, makeRootKey, type RootKey, signRoot } from "#cli/root/name.ts";
import type { Ruleset } from "#schema/ruleset.ts";
import { Report, type ReportResponse, type Update } from "#schema/wire.ts";
import { memorySigner, onlineKeysOf } from "#test/support/signing.ts";
import type { OnlineRole, Signer } from "#worker/ports/index.ts";
import { type Floor, publishHost } from "#worker/signing/repository.ts";
import { signMetadata } from "#worker/signing/sign.ts";
import type { Published } from "#worker/signing/types.ts";

const fleet = "acme";
const host = "gw";

export const sha256 = (content: string | Uint8Array): string =>
  createHash("sha256").update(content).digest("hex");

/** The five files of one update, as text; what a test tampers with. */
export interface Files {
  /** From version 2 on. */
  readonly roots: readonly string[];
  readonly timestamp: string;
  readonly snapshot: string;
  readonly targets: string;
  readonly bundle: string;
}

export const filesOf = ({ repository, bundle }: Published): Files => ({
  roots: [],
  timestamp: repository.timestamp,
  snapshot: repository.snapshot,
  targets: repository.targets,
  bundle: Buffer.from(bundle).toString("utf8"),
});

const base64 = (content: string): string => Buffer.from(content, "utf8").toString("base64");

export const envelopeOf = (files: Files): string =>
  JSON.stringify({
    roots: files.roots.map(base64),
    timestamp: base64(files.timestamp),
    snapshot: base64(files.snapshot),
    targets: base64(files.targets),
    bundle: base64(files.bundle),
  } satisfies Update);

/** Who signs, and the root that says so. */
export interface Authority {
  readonly signer: Signer;
  readonly rootKeys: readonly RootKey[];
  readonly root: string;
  readonly version: number;
}

export async function newAuthority(): Promise<Authority> {
  const signer = memorySigner();
  const rootKeys = [makeRootKey(), makeRootKey(), makeRootKey()];
  return { signer, rootKeys, root: await rootText(signer, rootKeys, rootKeys, 1), version: 1 };
}

/** A root of `version` over `rootKeys` and the signer's keys, threshold 2, signed by `signedBy`. */
export async function rootText(
  signer: Signer,
  rootKeys: readonly RootKey[],
  signedBy: readonly RootKey[],
  version: number,
): Promise<string> {
  const online = await onlineKeysOf(signer);
  const input = {
    version,
    now: Date.now(),
    threshold: 2,
    rootKeys: rootKeys.map(({ key }) => key),
    online,
  };
  return signRoot(buildRoot(input), signedBy);
}

/** Publishes `ruleset` as the host's next seq, with production's own code. */
export async function publish(
  authority: Authority,
  ruleset: Ruleset,
  previous: Published | undefined,
  options: {
    readonly host?: string;
    readonly now?: number;
    readonly leaseSeconds?: number;
    readonly floor?: Floor;
    /** One more than before where it is not said. */
    readonly revision?: number;
  } = {},
): Promise<Published> {
  const published = await publishHost({
    fleet,
    host: options.host ?? host,
    revision: options.revision ?? (previous?.repository.revision ?? 0) + 1,
    now: options.now ?? Date.now(),
    leaseSeconds: options.leaseSeconds ?? 3600,
    signer: authority.signer,
    mode: "enforce",
    ruleset,
    previous: previous?.repository,
    ...(options.floor === undefined ? {} : { floor: options.floor }),
  });
  if (published === undefined) throw new Error("expected another ruleset than the previous one");
  return published;
}

type Payload = Record<string, unknown>;
export interface Edits {
  readonly targets?: (payload: Payload) => Payload;
  readonly snapshot?: (payload: Payload) => Payload;
  readonly timestamp?: (payload: Payload) => Payload;
  readonly bundle?: string;
  /** Signs a role with another key than its own. */
  readonly signAs?: Partial<
    Record<OnlineRole, { readonly signer: Signer; readonly role: OnlineRole }>
  >;
}

/** What a thief of online keys can make: any payload under real signatures, every pin right, every version higher. */
export async function resign(authority: Authority, files: Files, edits: Edits): Promise<Files> {
  const bundle = edits.bundle ?? files.bundle;
  const sign = async (role: OnlineRole, before: string, pins: (payload: Payload) => Payload) => {
    const { signed } = JSON.parse(before) as { signed: Payload };
    const edit = edits[role] ?? ((payload: Payload) => payload);
    const payload = edit(pins({ ...signed, version: Number(signed["version"]) + 1 }));
    const by = edits.signAs?.[role] ?? { signer: authority.signer, role };
    return { text: await signMetadata(by.signer, by.role, payload), version: payload["version"] };
  };
  const pin = ({ text: content, version }: { text: string; version: unknown }) => ({
    version,
    length: Buffer.byteLength(content),
    hashes: { sha256: sha256(content) },
  });
  const targets = await sign("targets", files.targets, (payload) => {
    const all = payload["targets"] as Record<string, { custom: Payload }>;
    const custom = { ...all["bundle.json"]?.custom, seq: payload["version"] };
    const target = {
      length: Buffer.byteLength(bundle),
      hashes: { sha256: sha256(bundle) },
      custom,
    };
    return { ...payload, targets: { "bundle.json": target } };
  });
  const snapshot = await sign("snapshot", files.snapshot, (payload) => ({
    ...payload,
    meta: { "targets.json": pin(targets) },
  }));
  const timestamp = await sign("timestamp", files.timestamp, (payload) => ({
    ...payload,
    meta: { "snapshot.json": pin(snapshot) },
  }));
  return {
    roots: [],
    targets: targets.text,
    snapshot: snapshot.text,
    timestamp: timestamp.text,
    bundle,
  };
}

/** Edits the bundle's `custom` inside a targets payload. */
export const customEdit =
  (edit: (custom: Payload) => Payload) =>
  (payload: Payload): Payload => {
    const all = payload["targets"] as Record<string, Payload>;
    const target = all["bundle.json"] ?? {};
    const custom = edit(target["custom"] as Payload);
    return { ...payload, targets: { "bundle.json": { ...target, custom } } };
  };

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

type Answer = (request: Asked, response: ServerResponse) => void;

export interface Plane {
  readonly url: string;
  readonly asked: readonly Asked[];
  /** Serves these files to the next polls. */
  serve(files: Files): void;
  /** Whether hosts under a new ruleset get through; they do at first. */
  confirm(whether: boolean): void;
  /** Asks in every answer to a report for the next one in so many seconds. */
  askIn(seconds: number | undefined): void;
  /** Claims in every answer to a report to have this number. */
  claim(n: number | undefined): void;
  /** Answers polls in the test's own way. */
  answer(how: Answer): void;
  /** Refuses reports so, with these seconds to wait; takes them again without. */
  refuseReports(retryAfter: string | undefined): void;
  close(): Promise<void>;
}

/** Listens on 127.0.0.1 and answers joins, tokens and reports as a control plane does. */
export async function openPlane(root: string): Promise<Plane> {
  const asked: Asked[] = [];
  let poll: Answer = (_, response) => void response.writeHead(503).end();
  let confirms = true;
  let highest = 0;
  let asks: Partial<ReportResponse> = {};
  let refusesReports: string | undefined;
  let claims: Partial<ReportResponse> = {};
  const reported = (body: string): ReportResponse => {
    highest = Math.max(highest, Report.parse(JSON.parse(body)).n);
    return { n: highest, ...asks, ...claims };
  };
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const path = request.url ?? "";
      const one = { method: request.method ?? "", path, headers: request.headers, body };
      asked.push(one);
      if (path === "/v1/agent/report" && refusesReports !== undefined)
        return void response.writeHead(429, { "retry-after": refusesReports }).end();
      route(one, response, root, poll, () => confirms, reported);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    serve(files) {
      const etag = `"t-${sha256(files.timestamp).slice(0, 16)}"`;
      poll = ({ headers }, response) => {
        const known = Number(/^root=(\d+);/.exec(String(headers["portcullis-seen"]))?.[1] ?? 1);
        const roots = files.roots.slice(known - 1);
        response.writeHead(200, { etag }).end(envelopeOf({ ...files, roots }));
      };
    },
    confirm(whether) {
      confirms = whether;
    },
    claim(n) {
      claims = n === undefined ? {} : { n };
    },
    askIn(seconds) {
      asks = seconds === undefined ? {} : { next_s: seconds };
    },
    answer(how) {
      poll = how;
    },
    refuseReports(retryAfter) {
      refusesReports = retryAfter;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function route(
  request: Asked,
  response: ServerResponse,
  root: string,
  poll: Answer,
  confirms: () => boolean,
  reported: (body: string) => ReportResponse,
): void {
  const json = (status: number, body: unknown): void =>
    void response
      .writeHead(status, { "content-type": "application/json" })
      .end(JSON.stringify(body));
  switch (`${request.method} ${request.path}`) {
    case "GET /v1/root":
      return void response.writeHead(200).end(root);
    case "POST /v1/agent/enrol":
      return json(201, { host, fleet });
    case "POST /v1/agent/token":
      return json(200, { access_token: "t", token_type: "Bearer", expires_in: 86_400 });
    case "POST /v1/agent/report":
      return json(200, reported(request.body));
    case "POST /v1/agent/confirm":
      return json(confirms() ? 200 : 503, JSON.parse(request.body));
    case "GET /v1/agent/update":
      return poll(request, response);
    default:
      return json(404, {});
  }
}
