/** Whatever comes over the wire, in whatever field: a refusal comes out of the transport, and nothing else ever. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { createHash, randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { newHostKey } from "#agent/disk/identity.ts";
import { join } from "#agent/cycle/join.ts";
import { Refused } from "#agent/machine/refusal.ts";
import { type Client, openClient, type PollReply } from "#agent/transport/client.ts";
import { defaultLimits } from "#agent/transport/request.ts";
import { buildRoot, makeRootKey, signRoot } from "#cli/root/name.ts";
import { httpAnswer, openRawServer, type RawServer } from "../support/raw-server.ts";

const identity = {
  url: "unused",
  host: "gw",
  fleet: "acme",
  root_sha256: "0".repeat(64),
  ca: null,
  key: newHostKey(),
};
const goodToken = { access_token: "t.o-k_e~n/+==", token_type: "Bearer", expires_in: 3600 };
const update = { roots: [], timestamp: "", snapshot: "", targets: "" };
const limits = { ...defaultLimits, cycleMs: 5_000, headersMs: 2_000 };
const cycle = (): AbortSignal => AbortSignal.timeout(5_000);

let answers: Record<string, Buffer | string>;
let server: RawServer;
let client: Client;
beforeEach(async () => {
  answers = {
    "/v1/agent/token": httpAnswer(200, JSON.stringify(goodToken)),
    "/v1/agent/update": httpAnswer(200, JSON.stringify(update)),
    "/v1/agent/report": httpAnswer(200, '{"n":1}'),
  };
  server = await openRawServer((path) => answers[path] ?? httpAnswer(404, "{}"));
  client = openClient(server.url, identity, limits);
});
afterEach(() => server.close());

const poll = (etag: string | null = null, generation: string | null = null): Promise<PollReply> =>
  client.poll(
    {
      seen: { root: 1, timestamp: 0, targets: 0 },
      bundle: undefined,
      etag,
      generation,
      renew: false,
    },
    Date.now(),
    cycle(),
  );
const report = () => client.report("{}", Date.now(), cycle());
const confirm = () => client.confirm(randomUUID(), Date.now(), cycle());

/** The code, where a refusal comes out. Anything else fails the test. */
async function codeOf(work: Promise<unknown>): Promise<string> {
  const ended = await work.then(
    () => "taken",
    (error: unknown) => error,
  );
  if (ended === "taken") return ended;
  expect(ended).toBeInstanceOf(Refused);
  return (ended as Refused).code;
}

/** Values that a field may be given, in JSON text. */
const strange: readonly string[] = [
  "null",
  "true",
  "[]",
  "{}",
  '""',
  '" "',
  '"a b"',
  '"a\\u0000b"',
  '"a\\nb"',
  '"a\\r\\nx-more: 1"',
  '"a\\tb"',
  '"\\u007f"',
  '"é"',
  '"€"',
  '"\\ud83d\\ude00"',
  '"\\ud800"',
  '"="',
  '"Bearer x"',
  '"a,b"',
  `"${"x".repeat(12_001)}"`,
  "0",
  "-1",
  "1.5",
  "1e400",
  "9007199254740993",
  "4503599627370497",
];

/** An object's JSON with one field replaced by a text. */
const withField = (object: Readonly<Record<string, unknown>>, name: string, text: string): string =>
  `{${Object.entries({ ...object, [name]: 0 })
    .map(([key, value]) => `"${key}":${key === name ? text : JSON.stringify(value)}`)
    .join(",")}}`;

const asked: readonly (readonly [
  path: string,
  field: string,
  object: Readonly<Record<string, unknown>>,
  ask: () => Promise<unknown>,
])[] = [
  ["/v1/agent/token", "access_token", goodToken, () => poll()],
  ["/v1/agent/token", "token_type", goodToken, () => poll()],
  ["/v1/agent/token", "expires_in", goodToken, () => poll()],
  ["/v1/agent/token", "more", goodToken, () => poll()],
  ["/v1/agent/update", "roots", update, () => poll()],
  ["/v1/agent/update", "timestamp", update, () => poll()],
  ["/v1/agent/update", "more", update, () => poll()],
  ["/v1/agent/report", "n", { n: 1 }, () => report()],
  ["/v1/agent/report", "next_s", { n: 1 }, () => report()],
  ["/v1/agent/confirm", "nonce", { nonce: "" }, () => confirm()],
];
/** What is no strange value for a field after all. */
const sound: ReadonlySet<string> = new Set(["roots []", 'timestamp ""']);

test.each(asked)(
  "of %s every strange %s is refused, and a sound answer after it is taken",
  async (path, field, object, ask) => {
    const kept = answers[path];
    for (const value of strange) {
      const shown = value.slice(0, 40);
      client = openClient(server.url, identity, limits);
      answers[path] = httpAnswer(200, withField(object, field, value));
      const wanted = sound.has(`${field} ${value}`) ? "taken" : "response_malformed";
      expect([shown, await codeOf(ask())]).toEqual([shown, wanted]);
      if (kept === undefined) continue;
      answers[path] = kept;
      expect([shown, await codeOf(ask())]).toEqual([shown, "taken"]);
    }
  },
);

/** Bytes that are no answer at all, or one that no client should take. */
const noAnswers: readonly string[] = [
  "",
  "\r\n\r\n",
  "hello\r\n\r\n",
  "HTTP/1.1\r\n\r\n",
  "HTTP/1.1 999999 X\r\n\r\n",
  "HTTP/1.1 abc X\r\n\r\n",
  "HTTP/9.9 200 X\r\ncontent-length: 2\r\n\r\n{}",
  "HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n{}",
  "HTTP/1.1 100 Continue\r\n\r\n",
  "HTTP/1.1 200 X\r\ncontent-length: -1\r\n\r\n{}",
  "HTTP/1.1 200 X\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}",
  "HTTP/1.1 200 X\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}",
  "HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
  "HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n{}",
  `HTTP/1.1 200 X\r\nx: ${"y".repeat(20_000)}\r\n\r\n{}`,
  "HTTP/1.1 200 X\r\netag: a\u0000b\r\ncontent-length: 2\r\n\r\n{}",
  "HTTP/1.1 200 X\r\n: empty\r\ncontent-length: 2\r\n\r\n{}",
  "HTTP/1.1 204 X\r\n\r\n",
  "HTTP/1.1 302 X\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
  "HTTP/1.1 600 X\r\ncontent-length: 0\r\n\r\n",
];

test.each(["/v1/agent/token", "/v1/agent/update", "/v1/agent/report", "/v1/agent/confirm"])(
  "refuses whatever %s answers that is no answer",
  async (path) => {
    const ask =
      { "/v1/agent/report": report, "/v1/agent/confirm": confirm }[path] ?? (() => poll());
    for (const bytes of noAnswers) {
      client = openClient(server.url, identity, limits);
      answers[path] = Buffer.from(bytes, "latin1");
      const code = await codeOf(ask());
      expect([bytes.slice(0, 60), code]).not.toEqual([bytes.slice(0, 60), "taken"]);
    }
  },
);

describe("what is sent back as it came", () => {
  const heads = [
    '"a',
    "a",
    '"a"b"',
    '"\u00e9"',
    `"${"x".repeat(300)}"`,
    '"a b"',
    "*",
    "W/a",
    '"a\tb"',
  ];

  test("is a header of the agreed form, or nothing: then the next poll asks for all", async () => {
    for (const value of heads) {
      const sent = [
        ["etag", value],
        ["portcullis-generation", value],
      ] as const;
      answers["/v1/agent/update"] = httpAnswer(200, JSON.stringify(update), sent);
      const reply = await poll();
      if (reply.kind !== "update") throw new Error("expected an update");
      const { etag, generation } = reply.hint;
      expect([value, etag]).toEqual([value, null]);
      expect(await codeOf(poll(etag, generation))).toBe("taken");
      expect(server.asked.at(-1)?.toLowerCase()).not.toContain("if-none-match");
    }
    answers["/v1/agent/update"] = httpAnswer(200, JSON.stringify(update), [
      ["ETag", 'W/"t41-0123"'],
      ["Portcullis-Generation", "1730000000000"],
    ]);
    expect(await poll()).toMatchObject({
      hint: { etag: 'W/"t41-0123"', generation: "1730000000000" },
    });
  });

  test("is refused and not thrown, should something of another form come to be sent all the same", async () => {
    expect(await codeOf(poll('"a\nb"'))).toBe("unreachable");
    expect(await codeOf(poll(null, "€"))).toBe("unreachable");
  });
});

describe("join", () => {
  const folder = mkdtempSync(joinPath(tmpdir(), "portcullis-answers-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const [rootKey, targets, snapshot, timestamp] = [
    makeRootKey(),
    makeRootKey(),
    makeRootKey(),
    makeRootKey(),
  ];
  const online = { targets: targets.key, snapshot: snapshot.key, timestamp: timestamp.key };
  const root = signRoot(
    buildRoot({ version: 1, now: Date.now(), threshold: 1, rootKeys: [rootKey.key], online }),
    [rootKey],
  );
  let count = 0;
  const joined = (): Promise<unknown> => {
    const rootSha256 = createHash("sha256").update(root).digest("hex");
    const directory = joinPath(folder, String((count += 1)));
    return join({ directory, url: server.url, rootSha256, token: "pce_test", ca: null }, limits);
  };

  test("refuses every strange answer to an enrolment, and every one that is no answer", async () => {
    answers["/v1/root"] = httpAnswer(200, root);
    for (const field of ["host", "fleet"])
      for (const value of strange.filter((one) => one.length < 100)) {
        answers["/v1/agent/enrol"] = httpAnswer(
          201,
          withField({ host: "gw", fleet: "acme" }, field, value),
        );
        expect([value, await codeOf(joined())]).toEqual([value, "response_malformed"]);
      }
    for (const bytes of noAnswers) {
      answers["/v1/agent/enrol"] = Buffer.from(bytes, "latin1");
      expect([bytes.slice(0, 60), await codeOf(joined())]).not.toEqual([
        bytes.slice(0, 60),
        "taken",
      ]);
    }
    answers["/v1/agent/enrol"] = httpAnswer(201, '{"host":"gw","fleet":"acme"}');
    expect(await codeOf(joined())).toBe("taken");
  });
});
