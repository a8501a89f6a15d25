/**
 * The drill of SECURITY.md, "The online keys are stolen": a thief who holds them all, two hosts, the operators' command
 * line, and a control plane that starts with new keys. Nobody touches a host.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as z from "zod";
import type { Agent } from "#agent/agent.ts";
import { join } from "#agent/join.ts";
import type { Cycle } from "#agent/parts.ts";
import { defaultLimits } from "#agent/transport/request.ts";
import { runCli } from "#test/support/cli.ts";
import { publishHost } from "#worker/publish/index.ts";
import type { Published } from "#worker/publish/types.ts";
import type { Signer } from "#worker/ports.ts";
import { createSigner, SigningKeys } from "#worker/signer.ts";
import { openStandalone, type Standalone } from "#worker/standalone/index.ts";
import { readRepository } from "#worker/store/lease.ts";
import { envelopeOf, filesOf, sha256 } from "./plane.ts";
import { admitting, agentIn, guardText, type Namespace, openNamespace } from "./victim.ts";

/** What an agent accepts at once (agent/trust/verify.ts). */
const jump = 2 ** 20;
const folder = mkdtempSync(joinPath(tmpdir(), "portcullis-drill-"));
const at = (name: string): string => joinPath(folder, name);
let plane: Standalone;

interface Host {
  readonly name: string;
  readonly namespace: Namespace;
  readonly agent: Agent;
  readonly front: Front;
}
const hosts: Host[] = [];
const hostNamed = (name: string): Host => {
  const found = hosts.find((host) => host.name === name);
  if (found === undefined) throw new Error(`no host ${name}`);
  return found;
};
const cycle = ({ agent }: Host): Promise<Cycle> => agent.cycle(new AbortController().signal);

async function open(): Promise<void> {
  const endpoints = [{ kind: "plain", host: "127.0.0.1", port: 0 }] as const;
  plane = await openStandalone({ data: at("plane"), fleet: "acme", endpoints });
}
const cli = (...args: readonly string[]) =>
  runCli(args, { env: { PORTCULLIS_URL: plane.urls[0] ?? "", PORTCULLIS_TOKEN: plane.admin.token } });
async function ceremony(...args: readonly string[]): Promise<void> {
  expect(await cli("root", ...args)).toMatchObject({ code: 0, errors: [] });
}
const rootKeys = (): readonly string[] =>
  readdirSync(at("keys"))
    .filter((name) => name.endsWith(".pem"))
    .map((name) => at(`keys/${name}`));

/** The wire to one host: carries everything on, but for updates that a thief gives. */
interface Front {
  readonly url: string;
  steal(published: Published | undefined): void;
  close(): void;
}

async function openFront(): Promise<Front> {
  let stolen: Published | undefined;
  const server: Server = createServer((request, response) => {
    void (async () => {
      const path = request.url ?? "";
      if (stolen !== undefined && path === "/v1/agent/update")
        return response.writeHead(200, { etag: '"thief"' }).end(envelopeOf(filesOf(stolen)));
      const sent = Object.entries(request.headers).filter(
        ([name]) => name !== "host" && name !== "connection",
      );
      const body = await buffer(request);
      const answer = await fetch(new URL(path, plane.urls[0]), {
        method: request.method ?? "GET",
        headers: sent.map(([name, value]): [string, string] => [name, String(value)]),
        ...(body.length === 0 ? {} : { body: new Uint8Array(body) }),
      });
      const content = Buffer.from(await answer.arrayBuffer());
      return response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(content);
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    steal: (published) => void (stolen = published),
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function openHost(name: string): Promise<Host> {
  const namespace = await openNamespace();
  const front = await openFront();
  const base = at(name);
  mkdirSync(base);
  const guardPath = joinPath(base, "guard.yaml");
  writeFileSync(guardPath, guardText, { mode: 0o600 });
  const enrolled = JSON.parse((await cli("enrol", name, "--json")).lines[0] ?? "") as {
    token: string;
    root_sha256: string;
  };
  const directory = joinPath(base, "state");
  const rootSha256 = enrolled.root_sha256;
  await join({ directory, url: front.url, rootSha256, token: enrolled.token, ca: null }, defaultLimits);
  const agent = agentIn({ namespace, directory, guardPath, url: front.url, rootSha256, log: [] });
  return { name, namespace, agent, front };
}

/** What the thief signs for a host: whoever it likes gets in, as far above what was seen as an agent goes along with. */
async function theft(signer: Signer, host: string, beside: string, last?: Published): Promise<Published> {
  const previous = last?.repository ?? (await readRepository(plane.ports.sql, host));
  if (previous === undefined) throw new Error(`nothing was published for ${host}`);
  const floor = { timestamp: previous.timestamp_version + jump - 1, targets: previous.seq + jump - 1 };
  const ruleset = admitting("203.0.113.66", beside);
  const now = Date.now();
  const made = { fleet: "acme", host, revision: previous.revision, now, leaseSeconds: 3600, floor, previous };
  const published = await publishHost({ ...made, signer, mode: "enforce", ruleset });
  if (published === undefined) throw new Error("the thief published nothing new");
  return published;
}

/** With the numbers that the kernel gives to rules: a ruleset that was loaded again has others. */
const loaded = async ({ namespace }: Host): Promise<string> =>
  (await namespace.exec(["nft", "-s", "-a", "list", "table", "inet", "portcullis"], "")).stdout;

beforeAll(async () => {
  await open();
  await ceremony("init", "--threshold", "2", "--keys", "3", "--out", at("keys"));
  writeFileSync(at("catalog.yaml"), catalog);
  expect((await cli("apply", "-f", at("catalog.yaml"), "--yes")).errors).toEqual([]);
  for (const name of ["web1", "web2", "db1"]) hosts.push(await openHost(name));
  for (const host of hosts)
    expect(await cycle(host)).toMatchObject({ refusal: undefined, state: { kind: "steady" } });
});
afterAll(async () => {
  for (const { namespace, front } of hosts) {
    front.close();
    await namespace.close();
  }
  await plane.close();
  rmSync(folder, { recursive: true, force: true });
});
const catalog = `portcullis: 1
hosts:
  web1: { addresses: [192.0.2.11], roles: [web] }
  web2: { addresses: [192.0.2.12], roles: [web] }
  db1: { addresses: [192.0.2.13], roles: [] }
services:
  web:
    ingress:
      - { from: 198.51.100.0/24, port: 443, proto: tcp }
`;

test("after the online keys were stolen and used, one root ceremony brings every host back, untouched, and ends the thief", async () => {
  const [web1, web2, db1] = [hostNamed("web1"), hostNamed("web2"), hostNamed("db1")];
  const Keys = z.object({ signing_keys: SigningKeys, token_secret: z.string() });
  const secrets = Keys.parse(JSON.parse(readFileSync(at("plane/keys.json"), "utf8")));
  const thief = createSigner(secrets.signing_keys, secrets.token_secret);

  // web1 is taken twice, further than the honest control plane dares to follow; web2 once, so that it does follow.
  const first = await theft(thief, "web1", "198.51.100.1");
  const second = await theft(thief, "web1", "198.51.100.2", first);
  for (const [host, published] of [
    [web1, first],
    [web1, second],
    [web2, await theft(thief, "web2", "198.51.100.1")],
  ] as const) {
    host.front.steal(published);
    expect(await cycle(host)).toMatchObject({ refusal: undefined, state: { kind: "steady" } });
    expect(await loaded(host)).toContain("203.0.113.66");
  }
  for (const { front } of hosts) front.steal(undefined);
  expect((await cycle(web1)).refusal?.code).toBe("version_rollback");
  expect(await loaded(web1)).toContain("203.0.113.66");
  expect((await cycle(web2)).refusal).toBeUndefined();
  const kept = [await loaded(web2), await loaded(db1)];
  expect(kept.join()).not.toContain("203.0.113.66");

  // SECURITY.md's commands, with a restart where they say so.
  await plane.close();
  rmSync(at("plane/keys.json"));
  await open();
  await ceremony("rotate", "--online", "--out", at("2.json"));
  for (const key of rootKeys().slice(0, 2))
    await ceremony("sign", at("2.json"), "--key", key, "--from", at("keys/root.json"));
  await ceremony("push", at("2.json"));

  for (const host of hosts) {
    const { refusal, state } = await cycle(host);
    expect([host.name, refusal, state.kind]).toEqual([host.name, undefined, "steady"]);
  }
  expect(await loaded(web1)).not.toContain("203.0.113.66");
  expect(await loaded(web1)).toContain("198.51.100.0/24");
  // Their bundles are what they were: the kernel was not written to.
  expect([await loaded(web2), await loaded(db1)]).toEqual(kept);

  const after = await loaded(web1);
  web1.front.steal(await theft(thief, "web1", "198.51.100.3", second));
  expect((await cycle(web1)).refusal?.code).toBe("signature_invalid");
  expect(await loaded(web1)).toBe(after);
  web1.front.steal(undefined);
  expect((await cycle(web1)).refusal).toBeUndefined();
  expect(sha256(await loaded(web1))).toBe(sha256(after));
});
