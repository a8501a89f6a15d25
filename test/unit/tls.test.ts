/**
 * Whose certificates are believed, by the agent and by the command line: the machine's store and what `--ca` adds,
 * whatever the environment says. Against real servers with real certificates.
 */
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, connect, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import tls from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { run } from "#lab/run/process.ts";
import { newHostKey } from "#agent/disk/identity.ts";
import { Refused } from "#agent/machine/refusal.ts";
import { openClient } from "#agent/transport/client.ts";
import { findEnvironmentFault } from "#agent/transport/environment.ts";
import { defaultLimits, send } from "#agent/transport/request.ts";
import { readTrustedTls } from "#agent/transport/trusted-ca.ts";
import { readStore, StoreError } from "#tls/store.ts";
import {
  type Certificates,
  makeCertificates,
  openTlsServer,
  type Shown,
  type TlsServer,
} from "../support/certificates.ts";
import { runCli } from "../support/cli.ts";

const folder = mkdtempSync(joinPath(tmpdir(), "portcullis-tls-"));
const at = (name: string): string => joinPath(folder, name);
let made: Certificates;
beforeAll(() => {
  made = makeCertificates(folder);
  writeFileSync(at("empty.crt"), "");
  writeFileSync(at("store.crt"), readFileSync(made.caFile));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());

let server: TlsServer;
async function serve(shown: Shown): Promise<void> {
  server = await openTlsServer(shown);
}
afterEach(() => server?.close());

const identity = (ca: string | null) => ({
  url: "unused",
  host: "gw",
  fleet: "acme",
  root_sha256: "0".repeat(64),
  ca,
  key: newHostKey(),
});
const polled = (ca: string | null): Promise<string> =>
  openClient(server.url, identity(ca), defaultLimits)
    .poll(
      {
        seen: { root: 1, timestamp: 0, targets: 0 },
        bundle: undefined,
        etag: null,
        generation: null,
        renew: false,
      },
      Date.now(),
      AbortSignal.timeout(10_000),
    )
    .then(
      () => "answered",
      (error: unknown) =>
        error instanceof Refused ? `${error.code}: ${error.message}` : String(error),
    );
const listed = (...words: readonly string[]): Promise<string> =>
  runCli(["token", "list", "--url", server.url, ...words], {
    env: { ...process.env, PORTCULLIS_TOKEN: "secret" },
  }).then(({ errors }) => errors.join());

/** What an administrator's shell may hold, and no program of this house goes by. */
function stubWeakening(): void {
  vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
  vi.stubEnv("NODE_EXTRA_CA_CERTS", at("other.pem"));
}

/** A store of this one file. */
function stubStore(file: string): void {
  vi.stubEnv("SSL_CERT_FILE", file);
  vi.stubEnv("SSL_CERT_DIR", "");
}

const wrong = [
  ["self-signed", "selfSigned"],
  ["a stranger's", "stranger"],
  ["expired", "expired"],
  ["another host's", "otherName"],
] as const;

describe.each(wrong)("a certificate that is %s", (_, name) => {
  test("is refused by the agent, also where the environment asks for no verification, and nothing is sent", async () => {
    stubStore(made.caFile);
    stubWeakening();
    await serve(made[name]);
    expect(await polled(null)).toMatch(/^unreachable: cannot reach the control plane \(\w+\)/);
    expect(server.asked).toEqual([]);
  });

  test("is refused by the command line likewise, and no token leaves", async () => {
    stubStore(made.caFile);
    stubWeakening();
    await serve(made[name]);
    expect(await listed()).toContain(`cannot reach ${server.url}`);
    expect(server.asked).toEqual([]);
  });
});

describe("a certificate of the machine's store", () => {
  test("is believed by the agent and the command line, without --ca", async () => {
    stubStore(made.caFile);
    await serve(made.good);
    expect(await polled(null)).toBe("answered");
    await listed();
    expect(server.asked.map(({ path }) => path)).toEqual([
      "/v1/agent/token",
      "/v1/agent/update",
      "/v1/tokens?limit=100",
    ]);
  });

  test("is not believed where the store does not hold it: the refusal says what would", async () => {
    stubStore(at("other.pem"));
    await serve(made.good);
    expect(await polled(null)).toMatch(
      /neither the system's store nor --ca vouches for its certificate$/,
    );
    expect(await listed()).toMatch(/--ca names the file of its CA$/);
    expect(server.asked).toEqual([]);
  });

  test("is believed from the moment on that an administrator adds it, and no longer than it is there", async () => {
    writeFileSync(at("changing.crt"), readFileSync(at("other.pem")));
    stubStore(at("changing.crt"));
    await serve(made.good);
    const trusted = readTrustedTls(null);
    const ask = (): Promise<string> =>
      send(
        { method: "GET", url: server.url, headers: {}, bodyBytesMax: 1_000 },
        defaultLimits,
        trusted,
        AbortSignal.timeout(10_000),
      ).then(
        () => "answered",
        () => "refused",
      );
    expect(await ask()).toBe("refused");
    appendFileSync(at("changing.crt"), made.ca);
    expect(await ask()).toBe("answered");
    writeFileSync(at("changing.crt"), readFileSync(at("other.pem")));
    expect(await ask()).toBe("refused");
  });

  test("is believed beside what --ca adds, and what --ca adds beside the store", async () => {
    stubStore(made.caFile);
    const other = readFileSync(at("other.pem"), "utf8");
    for (const shown of [made.good, made.stranger]) {
      await serve(shown);
      expect(await polled(other)).toBe("answered");
      await listed("--ca", at("other.pem"));
      expect(server.asked.at(-1)?.authorization).toBe("Bearer secret");
      await server.close();
    }
    await serve(made.stranger);
    const env = { ...process.env, PORTCULLIS_TOKEN: "secret", PORTCULLIS_CA: at("other.pem") };
    await runCli(["token", "list", "--url", server.url], { env });
    expect(server.asked).toHaveLength(1);
  });

  test.each([
    ["that SSL_CERT_FILE names and is not there", "/nonexistent", "ENOENT"],
    ["that holds none", "empty.crt", "no certificate in it"],
  ])("a store %s is said by both, and nothing is sent", async (_, file, why) => {
    stubStore(file.startsWith("/") ? file : at(file));
    await serve(made.good);
    expect(await polled(null)).toContain(why);
    expect(await listed()).toContain(why);
    expect(server.asked).toEqual([]);
  });

  test("a --ca that holds no certificate is said by both", async () => {
    stubStore(made.caFile);
    await serve(made.good);
    expect(await polled("hello")).toContain("--ca holds no certificate");
    expect(await listed("--ca", at("empty.crt"))).toContain("--ca holds no certificate");
    expect(await listed("--ca", "/nonexistent")).toContain(
      "cannot read the file of certificates /nonexistent",
    );
  });
});

describe("the store of a machine", () => {
  const first = (...names: readonly string[]) => readStore({}, names.map(at)).pem;

  test("is the first bundle that is there, by the places of distributions", () => {
    expect(first("missing.crt", "store.crt", "other.pem")).toBe(made.ca);
    expect(first("other.pem", "store.crt")).toBe(readFileSync(at("other.pem"), "utf8"));
  });

  test("without a bundle is the list that Node brings", () => {
    expect(first("missing.crt")).toBe(tls.rootCertificates.join("\n"));
  });

  test("is what SSL_CERT_FILE and SSL_CERT_DIR name, of a folder the files named by digest", () => {
    mkdirSync(at("folder"), { recursive: true });
    for (const name of ["0123abcd.0", "README"])
      symlinkSync(at("other.pem"), joinPath(at("folder"), name));
    const both = readStore({ SSL_CERT_FILE: made.caFile, SSL_CERT_DIR: `:${at("folder")}` }, []);
    expect(both.pem).toBe(`${made.ca}\n${readFileSync(at("other.pem"), "utf8")}`);
    expect(() => readStore({ SSL_CERT_DIR: "/nonexistent" }, [])).toThrow(StoreError);
  });
});

describe("a program of the agent", () => {
  const agent = (env: Readonly<Record<string, string>>, ...words: readonly string[]) =>
    run([process.execPath, joinPath(import.meta.dirname, "../../agent/main.ts"), ...words], {
      env: { ...process.env, ...env },
      input: "token",
    });
  const joining = [
    "join",
    "https://127.0.0.1:1",
    "--root-sha256",
    "0".repeat(64),
    "--state-dir",
    "/nonexistent",
  ];

  test("does not join in an environment that would weaken it, and says which variable and what to do", async () => {
    for (const env of [
      { NODE_TLS_REJECT_UNAUTHORIZED: "0" },
      { NODE_OPTIONS: "--tls-min-v1.0" },
      { HTTPS_PROXY: "http://x" },
    ]) {
      const { code, stderr } = await agent(env, ...joining);
      expect([code, stderr]).toEqual([2, expect.stringContaining(Object.keys(env)[0] ?? "")]);
    }
  });

  test("shows and closes all the same: what a person needs most asks nothing of the network", async () => {
    const status = await agent(
      { NODE_TLS_REJECT_UNAUTHORIZED: "0", HTTPS_PROXY: "http://x" },
      "status",
      "--state-dir",
      folder,
    );
    expect(status).toMatchObject({ code: 0, stdout: expect.stringContaining("unenrolled") });
  });

  test("is started by a unit that clears every variable which it would refuse", () => {
    const unit = readFileSync(
      joinPath(import.meta.dirname, "../../agent/units/portcullis-agent.service"),
      "utf8",
    );
    const cleared = [...unit.matchAll(/^UnsetEnvironment=(.*)$/gm)].flatMap(([, names = ""]) =>
      names.split(" "),
    );
    const refused = [
      "NODE_OPTIONS",
      "NODE_TLS_REJECT_UNAUTHORIZED",
      "HTTPS_PROXY",
      "https_proxy",
      "ALL_PROXY",
      "all_proxy",
    ];
    expect(refused.filter((name) => !cleared.includes(name))).toEqual([]);
    expect(cleared).not.toContain("SSL_CERT_FILE");
  });
});

describe("what the environment asks for and the agent does not do is named with its remedy", () => {
  const url = new URL("https://fw.example.net:8443/");
  const fault = (env: Readonly<Record<string, string>>, at_ = url) =>
    findEnvironmentFault(env, at_);

  test.each([
    [{ NODE_TLS_REJECT_UNAUTHORIZED: "0" }, /^NODE_TLS_REJECT_UNAUTHORIZED=0 .* --ca$/],
    [{ NODE_OPTIONS: "--max-old-space-size=99 --require ./x.cjs" }, /^NODE_OPTIONS has --require/],
    [{ NODE_OPTIONS: '"--inspect=0.0.0.0:9229"' }, /^NODE_OPTIONS has --inspect/],
    [{ NODE_OPTIONS: "--tls-min-v1.0" }, /^NODE_OPTIONS has --tls-min-v1.0/],
    [{ NODE_OPTIONS: "--tls_keylog=/tmp/x" }, /^NODE_OPTIONS has --tls_keylog/],
    [{ HTTPS_PROXY: "http://proxy:3128" }, /^HTTPS_PROXY is set, .* NO_PROXY$/],
    [
      { all_proxy: "socks5://proxy", NO_PROXY: "example.org,fw.example.net:443" },
      /^all_proxy is set/,
    ],
  ])("%j", (env, message) => {
    expect(fault(env)).toMatch(message);
  });

  test.each([
    [{}],
    [{ NODE_OPTIONS: "--max-old-space-size=99 --dns-result-order=ipv4first" }],
    [{ NODE_TLS_REJECT_UNAUTHORIZED: "1", HTTPS_PROXY: "" }],
    [{ HTTP_PROXY: "http://proxy:3128" }],
    [{ HTTPS_PROXY: "http://proxy", NO_PROXY: "*" }],
    [{ HTTPS_PROXY: "http://proxy", NO_PROXY: "localhost, .example.net" }],
    [{ HTTPS_PROXY: "http://proxy", no_proxy: "FW.example.net:8443" }],
  ])("not %j, which changes nothing", (env) => {
    expect(fault(env)).toBeUndefined();
  });

  test("nor a proxy for plain http, which is for loopback, nor for an address that NO_PROXY names", () => {
    expect(
      fault({ HTTPS_PROXY: "http://proxy" }, new URL("http://127.0.0.1:8787")),
    ).toBeUndefined();
    const six = new URL("https://[fd00::1]:8443");
    for (const named of ["fd00::1", "[fd00::1]", "[fd00::1]:8443"])
      expect([named, fault({ HTTPS_PROXY: "http://proxy", NO_PROXY: named }, six)]).toEqual([
        named,
        undefined,
      ]);
    expect(fault({ HTTPS_PROXY: "http://proxy", NO_PROXY: "fd00::2" }, six)).toBeDefined();
  });
});

test("the command line goes through the proxy that HTTPS_PROXY names, verifies behind it, and past it by NO_PROXY", async () => {
  stubStore(made.caFile);
  await serve(made.good);
  const asked: string[] = [];
  const proxy = createServer((socket) => {
    socket.once("data", (head) => {
      const [, host = "", port = ""] = /^CONNECT ([\d.]+):(\d+)/.exec(head.toString()) ?? [];
      asked.push(`${host}:${port}`);
      const onward = connect(Number(port), host, () => {
        socket.write("HTTP/1.1 200 OK\r\n\r\n");
        socket.pipe(onward).pipe(socket);
      });
      for (const one of [socket, onward]) one.on("error", () => one.destroy());
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const { port } = proxy.address() as AddressInfo;
  try {
    vi.stubEnv("HTTPS_PROXY", `http://127.0.0.1:${port}`);
    await listed();
    expect([asked, server.asked.length]).toEqual([[new URL(server.url).host], 1]);
    vi.stubEnv("NO_PROXY", "127.0.0.1");
    await listed();
    expect([asked.length, server.asked.length]).toEqual([1, 2]);
    vi.stubEnv("NO_PROXY", "");
    await server.close();
    await serve(made.stranger);
    expect(await listed()).toContain("cannot reach");
    expect([asked.length, server.asked.length]).toEqual([2, 0]);
  } finally {
    proxy.close();
  }
});
