/** What the standalone adapter promises by itself: D1's manners, sockets, secrets, blobs and its command. */
import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { request as httpsRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { outputUntil } from "#test/support/child-output.ts";
import { verifyAudit } from "#worker/audit/verify.ts";
import { openBlobs } from "#worker/standalone/blobs.ts";
import { openStandalone } from "#worker/standalone/index.ts";
import { openDatabase, openSql } from "#worker/standalone/sql.ts";

const oneLine: unknown = expect.stringMatching(/^portcullis control plane: [^\n]+\n$/);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "portcullis-standalone-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Makes a row of a few pages. */
const labels = Array.from({ length: 60 }, (_, i) => [`label${i}`, "x".repeat(60)] as const);

const loopback = { kind: "plain", host: "127.0.0.1", port: 0 } as const;

describe("the D1 API over SQLite", () => {
  const open = () => openSql(openDatabase(":memory:"));

  test.each([
    ["101 parameters", `SELECT ${Array.from({ length: 101 }, () => "?").join(",")}`, "variable"],
    ["a statement over 100 kB", `SELECT '${"x".repeat(100_001)}'`, "too big"],
    [
      "6 selects in one",
      Array.from({ length: 6 }, () => "SELECT 1").join(" UNION ALL "),
      "too many terms",
    ],
    [
      "an expression 120 deep",
      `SELECT ${Array.from({ length: 120 }, () => "1").join("+")}`,
      "too large",
    ],
    ["a text over 2 MB", "SELECT length(printf('%.*c', 2000001, 'x'))", "too big"],
    ["a pattern over 50 bytes", `SELECT 'a' LIKE '${"x".repeat(51)}'`, "too complex"],
    ["another database beside", "ATTACH ':memory:' AS other", "too many attached databases"],
  ])("refuses %s, as D1 does", async (_, sql, message) => {
    await expect(open().prepare(sql).all()).rejects.toThrow(message);
  });

  test("refuses to bind, and to answer, more than D1 does, and takes what it takes", async () => {
    const sql = open();
    const bind = (bytes: number) =>
      sql.prepare("SELECT length(?) AS n").bind("x".repeat(bytes)).first("n");
    expect(await bind(2_000_000)).toBe(2_000_000);
    await expect(bind(2_000_001)).rejects.toThrow("too big");
    await sql.prepare("CREATE TABLE t (x)").run();
    const insert = sql.prepare("INSERT INTO t VALUES (?)").bind("x".repeat(1_990_000));
    await sql.batch(Array.from({ length: 25 }, () => insert));
    expect((await sql.prepare("SELECT x FROM t").all()).results).toHaveLength(25);
    await insert.run();
    await expect(sql.prepare("SELECT x FROM t").all()).rejects.toThrow(
      "answer of more than 50000000",
    );
    await expect(sql.prepare("SELECT x FROM t").raw()).rejects.toThrow(
      "answer of more than 50000000",
    );
  });

  test("refuses a batch of more statements than an invocation may ask", async () => {
    const sql = open();
    const ask = (count: number) =>
      sql.batch(Array.from({ length: count }, () => sql.prepare("SELECT 1")));
    expect(await ask(1000)).toHaveLength(1000);
    await expect(ask(1001)).rejects.toThrow("more than 1000 statements");
  });

  test("refuses to bind what D1 cannot", () => {
    expect(() => open().prepare("SELECT ?").bind(undefined)).toThrow("D1_TYPE_ERROR");
    expect(() => open().prepare("SELECT ?").bind(1n)).toThrow("D1_TYPE_ERROR");
  });

  test("undoes a whole batch when one statement fails, and says why in D1's words", async () => {
    const sql = open();
    await sql.prepare("CREATE TABLE t (x UNIQUE)").run();
    const insert = sql.prepare("INSERT INTO t VALUES (1)");
    await expect(sql.batch([insert, insert])).rejects.toThrow(/^D1_ERROR: UNIQUE/);
    expect(await sql.prepare("SELECT count(*) AS n FROM t").first("n")).toBe(0);
    await sql.batch([insert]);
  });

  test("counts changes, and reads rows as objects and as arrays", async () => {
    const sql = open();
    await sql.prepare("CREATE TABLE t (a, b)").run();
    expect(
      (await sql.prepare("INSERT INTO t VALUES (?, ?), (3, 4)").bind(1, "x").run()).meta.changes,
    ).toBe(2);
    const all = sql.prepare("SELECT a, b FROM t");
    expect((await all.all()).results).toEqual([
      { a: 1, b: "x" },
      { a: 3, b: 4 },
    ]);
    expect(await all.raw()).toEqual([
      [1, "x"],
      [3, 4],
    ]);
    expect(await all.raw({ columnNames: true })).toEqual([
      ["a", "b"],
      [1, "x"],
      [3, 4],
    ]);
    expect(await all.first()).toEqual({ a: 1, b: "x" });
    await expect(all.first("c")).rejects.toThrow("D1_COLUMN_NOTFOUND");
  });
});

describe("blobs in a directory", () => {
  const bytes = new TextEncoder().encode("bundle");
  const sha256 = createHash("sha256").update(bytes).digest("hex");

  test("are read back under their hash, and put twice they are one", async () => {
    const blobs = openBlobs(join(folder, "blobs"));
    await blobs.put(sha256, new Uint8Array(bytes));
    await blobs.put(sha256, new Uint8Array(bytes));
    expect(await blobs.get(sha256)).toEqual(new Uint8Array(bytes));
    expect(await blobs.get("0".repeat(64))).toBeUndefined();
  });

  test("that a killed process left half written are swept at the next start, and nothing else is", async () => {
    const data = join(folder, "killed");
    const open = () => openStandalone({ data, fleet: "f1", endpoints: [] });
    const first = await open();
    await first.ports.blobs.put(sha256, new Uint8Array(bytes));
    await first.close();
    const shelf = join(data, "blobs", sha256.slice(0, 2));
    // Killed by itself as soon as the file is there: what writes it needs many more turns of the loop.
    const script = `
      import { readdirSync } from "node:fs";
      import { writeDurably } from "#worker/standalone/files.ts";
      void writeDurably(process.argv[1] + "/${"a".repeat(64)}", new Uint8Array(1 << 24), 0o600);
      const look = () =>
        readdirSync(process.argv[1]).some((name) => name.endsWith(".tmp"))
          ? process.kill(process.pid, "SIGKILL")
          : setImmediate(look);
      look();`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script, shelf], {
      stdio: "inherit",
    });
    await once(child, "exit");
    const unfinished = readdirSync(shelf).filter((name) => name.endsWith(".tmp"));
    expect(unfinished).toHaveLength(1);
    writeFileSync(join(data, "mine.tmp"), "");
    const second = await open();
    expect(readdirSync(shelf)).toEqual([sha256]);
    expect(existsSync(join(data, "mine.tmp"))).toBe(true);
    expect(await second.ports.blobs.get(sha256)).toEqual(new Uint8Array(bytes));
    await second.close();
  });
});

describe("a standalone control plane", () => {
  test("keeps rows, keys and its first token over a restart, for its owner alone", async () => {
    const data = join(folder, "restart");
    const first = await openStandalone({ data, fleet: "f1", endpoints: [] });
    const put = {
      method: "PUT",
      headers: { authorization: `Bearer ${first.admin.token}`, "content-type": "application/json" },
      body: "{}",
    };
    expect((await first.app.request("/v1/hosts/gw", put)).status).toBe(201);
    const key = await first.ports.signer.publicKey("targets");
    await first.close();
    const second = await openStandalone({ data, fleet: "f1", endpoints: [] });
    expect((await second.app.request("/v1/hosts/gw", put)).status).toBe(200);
    expect(await second.ports.signer.publicKey("targets")).toEqual(key);
    expect(await verifyAudit(second.ports.sql)).toMatchObject({ ok: true, seq: 1 });
    await second.close();
    expect(statSync(data).mode & 0o777).toBe(0o700);
  });

  test("keeps every file for its owner alone, and closes one that was put there open", async () => {
    const data = join(folder, "modes");
    const first = await openStandalone({ data, fleet: "f1", endpoints: [] });
    await first.app.request("/healthz");
    const kept = [
      "keys.json",
      "admin.token",
      "portcullis.sqlite",
      "portcullis.sqlite-wal",
      "portcullis.sqlite-shm",
    ];
    const modes = () => kept.map((file) => [file, statSync(join(data, file)).mode & 0o777]);
    const closed = kept.map((file) => [file, 0o600]);
    expect(modes()).toEqual(closed);
    await first.close();
    // As a restore or another program may leave them.
    for (const file of kept.slice(0, 3)) chmodSync(join(data, file), 0o644);
    const second = await openStandalone({ data, fleet: "f1", endpoints: [] });
    await second.app.request("/healthz");
    expect(modes()).toEqual(closed);
    await second.close();
  });

  test("says that its disk is full, writes nothing, and goes on when there is room", async () => {
    const { app, admin, ports, close } = await openStandalone({
      data: join(folder, "full"),
      fleet: "f1",
      endpoints: [],
    });
    const put = (host: string) =>
      app.request(`/v1/hosts/${host}`, {
        method: "PUT",
        headers: { authorization: `Bearer ${admin.token}`, "content-type": "application/json" },
        body: JSON.stringify({ labels: Object.fromEntries(labels) }),
      });
    const pages = async (limit: number) =>
      ports.sql.prepare(`PRAGMA max_page_count = ${limit}`).all();
    expect((await put("before")).status).toBe(201);
    const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
    // No more pages than there are: SQLite's own word for a full disk.
    await pages(1);
    for (let i = 0; i < 20; i += 1) expect((await put(`h${i}`)).status).toBe(507);
    expect(logged).toHaveBeenCalledTimes(20);
    logged.mockRestore();
    expect(await verifyAudit(ports.sql)).toMatchObject({ ok: true, seq: 1 });
    await pages(1_000_000);
    expect((await put("later")).status).toBe(201);
    await close();
  });

  test("never makes new keys over a key file that it cannot read", async () => {
    const data = join(folder, "damaged");
    await (await openStandalone({ data, fleet: "f1", endpoints: [] })).close();
    writeFileSync(join(data, "keys.json"), "{}");
    await expect(openStandalone({ data, fleet: "f1", endpoints: [] })).rejects.toThrow("keys.json");
    expect(readFileSync(join(data, "keys.json"), "utf8")).toBe("{}");
  });

  test("refuses plain HTTP anywhere but on loopback", async () => {
    const endpoints = [{ kind: "plain", host: "0.0.0.0", port: 0 }] as const;
    const opening = openStandalone({ data: join(folder, "open"), fleet: "f1", endpoints });
    await expect(opening).rejects.toThrow("plain HTTP is for loopback only");
  });

  test("names the address that is taken", async () => {
    const one = await openStandalone({
      data: join(folder, "one"),
      fleet: "f1",
      endpoints: [loopback],
    });
    const port = Number(new URL(one.urls[0] ?? "").port);
    const opening = openStandalone({
      data: join(folder, "two"),
      fleet: "f1",
      endpoints: [{ ...loopback, port }],
    });
    await expect(opening).rejects.toThrow(`127.0.0.1:${port} is taken`);
    await one.close();
  });

  test("speaks TLS on a unix socket, and takes a socket over that nobody listens on", async () => {
    const certificate = await selfSigned();
    const path = join(folder, "tls.sock");
    const endpoints = [{ kind: "unix", path, certificate }] as const;
    const open = () => openStandalone({ data: join(folder, "tls"), fleet: "f1", endpoints });
    const first = await open();
    expect(await healthOver(path, certificate.cert)).toBe(200);
    await expect(open()).rejects.toThrow("is taken");
    await first.close();
    await abandonedSocket(path);
    const second = await open();
    expect(await healthOver(path, certificate.cert)).toBe(200);
    await second.close();
  });
});

describe("verifyAudit", () => {
  test.each([
    ["a changed row", "UPDATE audit SET actor = 'mallory' WHERE seq = 2", 2],
    ["a changed body", "UPDATE audit SET body = '{}' WHERE seq = 1", 1],
    ["a missing row", "DELETE FROM audit WHERE seq = 2", 2],
  ])("names %s that the triggers did not stop", async (_, forgery, seq) => {
    const { ports, app, admin, close } = await openStandalone({
      data: join(folder, `forged-${seq}-${forgery.length}`),
      fleet: "f1",
      endpoints: [],
    });
    for (const name of ["a", "b", "c"])
      await app.request(`/v1/hosts/${name}`, {
        method: "PUT",
        body: "{}",
        headers: { authorization: `Bearer ${admin.token}`, "content-type": "application/json" },
      });
    for (const trigger of ["audit_update", "audit_delete"])
      await ports.sql.prepare(`DROP TRIGGER ${trigger}`).run();
    expect(await verifyAudit(ports.sql)).toMatchObject({ ok: true, seq: 3 });
    await ports.sql.prepare(forgery).run();
    expect(await verifyAudit(ports.sql)).toMatchObject({ ok: false, seq });
    await close();
  });
});

describe("the command", () => {
  const program = new URL("../../worker/standalone/main.ts", import.meta.url).pathname;
  const run = promisify(execFile);

  test("serves until SIGTERM, prints where its token lies and never the token", async () => {
    const data = join(folder, "command");
    const child = spawn(process.execPath, [program, "--data", data, "--listen", "127.0.0.1:0"]);
    const output = await outputUntil(child, "first operator token");
    const url = /listening on (http:\S+)/.exec(output)?.[1] ?? "";
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect(output).not.toContain(readFileSync(join(data, "admin.token"), "utf8").trim());
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([0, null]);
  });

  test("explains itself", async () => {
    const { stdout } = await run(process.execPath, [program, "--help"]);
    expect(stdout).toContain("Usage:");
  });

  test.each([
    ["no data directory", []],
    ["an unknown flag", ["--data", "x", "--color"]],
    ["an address without a port", ["--data", "x", "--listen", "localhost"]],
    ["TLS without a certificate", ["--data", "x", "--tls-listen", "0.0.0.0:1"]],
    ["a lease too short", ["--data", "x", "--lease-seconds", "10"]],
  ])("refuses %s with one line and exit code 2", async (_, args) => {
    const failure: unknown = await run(process.execPath, [program, ...args]).catch(
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({
      code: 2,
      stderr: oneLine,
    });
    expect(existsSync("x")).toBe(false);
  });
});

async function selfSigned() {
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"];
  await promisify(execFile)("openssl", [
    "req",
    "-x509",
    ...curve,
    ...subject,
    "-keyout",
    key,
    "-out",
    cert,
  ]);
  return { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
}

const healthOver = (socketPath: string, ca: string): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    httpsRequest(
      {
        socketPath,
        ca,
        host: "localhost",
        servername: "localhost",
        path: "/healthz",
        agent: false,
      },
      (response) => {
        response.resume();
        response.on("end", () => resolve(response.statusCode));
      },
    )
      .on("error", reject)
      .end();
  });

/** A socket file whose process was killed before it could remove it. */
async function abandonedSocket(path: string): Promise<void> {
  const script = `require("node:net").createServer().listen(process.argv[1], () => console.log("up"))`;
  const child = spawn(process.execPath, ["-e", script, path]);
  await outputUntil(child, "up");
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(existsSync(path)).toBe(true);
}
