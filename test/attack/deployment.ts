/**
 * A whole deployment under attack: a control plane as one process, operators at their command line, and hosts whose
 * wire a thief can take over. Real signatures, real kernels, one folder.
 */
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { buffer } from "node:stream/consumers";
import * as z from "zod";
import type { Agent } from "#agent/cycle/agent.ts";
import { join } from "#agent/cycle/join.ts";
import type { Cycle } from "#agent/cycle/parts.ts";
import { defaultLimits } from "#agent/transport/request.ts";
import { type Ended, runCli } from "#test/support/cli.ts";
import type { Signer } from "#worker/ports/index.ts";
import { createSigner, SigningKeys } from "#worker/ports/signer.ts";
import { openStandalone, type Standalone } from "#worker/standalone/index.ts";
import { envelopeOf, type Files } from "./plane.ts";
import { agentIn, guardText, type Namespace, openNamespace } from "./victim.ts";

export interface Host {
  readonly name: string;
  readonly namespace: Namespace;
  readonly agent: Agent;
  readonly front: Front;
  readonly rootSha256: string;
}

export const cycle = ({ agent }: Host): Promise<Cycle> =>
  agent.runCycle(new AbortController().signal);

/** With the numbers that the kernel gives to rules: a ruleset that was loaded again has others. */
export const loaded = async ({ namespace }: Host): Promise<string> =>
  (await namespace.exec(["nft", "-s", "-a", "list", "table", "inet", "portcullis"], "")).stdout;

/** The wire to one host: carries everything on, but for updates that a thief gives. */
interface Front {
  readonly url: string;
  steal(files: Files | undefined): void;
  close(): void;
}

const Enrolment = z.object({ token: z.string(), root_sha256: z.string() });

export class Deployment {
  readonly #folder = mkdtempSync(joinPath(tmpdir(), "portcullis-deployment-"));
  readonly #hosts: Host[] = [];
  #plane: Standalone | undefined;

  get plane(): Standalone {
    if (this.#plane === undefined) throw new Error("the control plane is not running");
    return this.#plane;
  }

  at(name: string): string {
    return joinPath(this.#folder, name);
  }

  async start(keys: "known" | "new" = "known"): Promise<void> {
    const endpoints = [{ kind: "plain", host: "127.0.0.1", port: 0 }] as const;
    this.#plane = await openStandalone({ data: this.at("plane"), fleet: "acme", endpoints, keys });
  }

  async restartWithOtherKeys(): Promise<void> {
    await this.plane.close();
    rmSync(this.at("plane/keys.json"));
    await this.start("new");
  }

  cli(...args: readonly string[]): Promise<Ended> {
    const env = {
      PORTCULLIS_URL: this.plane.urls[0] ?? "",
      PORTCULLIS_TOKEN: this.plane.admin.token,
    };
    return runCli(args, { env });
  }

  /** A command that must do what it says. */
  async run(...args: readonly string[]): Promise<readonly string[]> {
    const { code, errors, lines } = await this.cli(...args);
    if (code !== 0 || errors.length > 0)
      throw new Error(`portcullis ${args.join(" ")} ended with ${code}: ${errors.join("; ")}`);
    return lines;
  }

  /** Signs the root file by two of the three root keys, and puts it in force. */
  async ceremony(file: string): Promise<void> {
    const keys = readdirSync(this.at("keys")).filter((name) => name.endsWith(".pem"));
    for (const key of keys.slice(0, 2))
      await this.run(
        "root",
        "sign",
        file,
        "--key",
        this.at(`keys/${key}`),
        "--from",
        this.at("keys/root.json"),
      );
    await this.run("root", "push", file);
  }

  async apply(catalog: string): Promise<void> {
    writeFileSync(this.at("catalog.yaml"), catalog);
    await this.run("apply", "-f", this.at("catalog.yaml"), "--yes");
  }

  /** All keys that the control plane holds now. */
  stolenKeys(): Signer {
    const Keys = z.object({ signing_keys: SigningKeys, token_secret: z.string() });
    const secrets = Keys.parse(JSON.parse(readFileSync(this.at("plane/keys.json"), "utf8")));
    return createSigner(secrets.signing_keys, secrets.token_secret);
  }

  /** A declared host that joined and did not poll yet. @param folder of its state and guard */
  async join(name: string, folder = name): Promise<Host> {
    const front = await openFront(() => this.plane.urls[0] ?? "");
    const directory = this.at(`${folder}/state`);
    mkdirSync(this.at(folder));
    const [text = ""] = await this.run("enrol", name, "--json");
    const { token, root_sha256: rootSha256 } = Enrolment.parse(JSON.parse(text));
    await join({ directory, url: front.url, rootSha256, token, ca: null }, defaultLimits);
    return this.#host(name, folder, front, rootSha256);
  }

  /** A second machine with the state of a host that joined, as an image of it has. */
  async copy(name: string, folder: string): Promise<Host> {
    const joined = this.#hosts.find((host) => host.name === name);
    if (joined === undefined) throw new Error(`${name} did not join`);
    cpSync(this.at(name), this.at(folder), { recursive: true });
    const front = await openFront(() => this.plane.urls[0] ?? "");
    return this.#host(name, folder, front, joined.rootSha256);
  }

  async #host(name: string, folder: string, front: Front, rootSha256: string): Promise<Host> {
    const namespace = await openNamespace();
    const [directory, guardPath] = [this.at(`${folder}/state`), this.at(`${folder}/guard.yaml`)];
    writeFileSync(guardPath, guardText, { mode: 0o600 });
    const agent = agentIn({ namespace, directory, guardPath, url: front.url, rootSha256, log: [] });
    const host = { name, namespace, agent, front, rootSha256 };
    this.#hosts.push(host);
    return host;
  }

  async close(): Promise<void> {
    for (const { namespace, front } of this.#hosts) {
      front.close();
      await namespace.close();
    }
    await this.#plane?.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function openFront(target: () => string): Promise<Front> {
  let stolen: Files | undefined;
  const server: Server = createServer((request, response) => {
    void (async () => {
      const path = request.url ?? "";
      if (stolen !== undefined && path === "/v1/agent/update")
        return response.writeHead(200, { etag: '"thief"' }).end(envelopeOf(stolen));
      const sent = Object.entries(request.headers).filter(
        ([name]) => name !== "host" && name !== "connection",
      );
      const body = await buffer(request);
      const answer = await fetch(new URL(path, target()), {
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
    steal: (files) => void (stolen = files),
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
