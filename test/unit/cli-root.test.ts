/** The root ceremony without a control plane: what a root file may be, who signed it, and what may follow what. */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import {
  joinCopies,
  readRootFile,
  type RootFile,
  rootFileText,
  withSignature,
} from "#cli/root/file.ts";
import { makeNextRoot, type RootChange, successionFaults } from "#cli/root/succession.ts";
import { buildRoot, makeRootKey, type RootKey, signRoot } from "#cli/root/name.ts";
import { formatCanonical } from "#schema/canonical.ts";
import { describeExpiry } from "#schema/expiry.ts";
import { tufKey } from "#schema/tuf.ts";
import { folderOf, runCli } from "../support/cli.ts";

const now = Date.parse("2026-01-01T00:00:00Z");
const day = 86_400_000;
const [a, b, c, d, t, s, ts] = Array.from({ length: 7 }, makeRootKey) as [
  RootKey,
  RootKey,
  RootKey,
  RootKey,
  RootKey,
  RootKey,
  RootKey,
];
const online = { targets: t.key, snapshot: s.key, timestamp: ts.key };
const beginning = { version: 1, now, threshold: 2, rootKeys: [a.key, b.key, c.key], online };
const first: RootFile = readRootFile(signRoot(buildRoot(beginning), [a, b]), "root.json");
const same: RootChange = {
  add: [],
  remove: [],
  threshold: undefined,
  online: undefined,
  targets: undefined,
  days: undefined,
};
const next = (change: Partial<RootChange>) =>
  makeNextRoot(first.signed, { ...same, ...change }, now);
const replaced = next({ add: [d.key], remove: [a.keyid] });
const signedBy = (...keys: readonly RootKey[]): RootFile =>
  keys.reduce(withSignature, { signed: replaced, signatures: [] });

describe("the next root", () => {
  test("is the root before with one version more, a new expiry and the changes alone", () => {
    const later = makeNextRoot(first.signed, { ...same, days: 30 }, now + day);
    expect(later).toEqual({ ...first.signed, version: 2, expires: "2026-02-01T00:00:00Z" });
    expect(replaced.roles.root).toEqual({ keyids: [b.keyid, c.keyid, d.keyid], threshold: 2 });
    expect(Object.keys(replaced.keys)).not.toContain(a.keyid);
    const swapped = next({ online: { ...online, timestamp: d.key } });
    expect(swapped.roles).toEqual({
      ...first.signed.roles,
      timestamp: { keyids: [d.keyid], threshold: 1 },
    });
  });

  test.each<[string, Partial<RootChange>, RegExp]>([
    [
      "a key to remove that is not there",
      { remove: [d.keyid] },
      /^no root key of version 1 begins with/,
    ],
    [
      "the beginning of a key id that is too short",
      { remove: [a.keyid.slice(0, 7)] },
      /^no root key/,
    ],
    ["a key to add that is there", { add: [b.key] }, /is a root key already$/],
    ["a key to add twice", { add: [d.key, d.key] }, /is a root key already$/],
    ["an online key as a root key", { add: [s.key] }, /^the snapshot key .* is a root key too$/],
    [
      "a root key as an online key",
      { online: { ...online, targets: a.key } },
      /^the targets key .* is a root key too$/,
    ],
    [
      "fewer keys than must sign",
      { remove: [a.keyid, b.keyid] },
      /^role root asks for 2 signatures and has 1 keys$/,
    ],
    [
      "a threshold above the keys",
      { threshold: 4 },
      /^role root asks for 4 signatures and has 3 keys$/,
    ],
  ])("refuses %s", (_, change, message) => {
    expect(() => next(change)).toThrow(message);
  });
});

describe("a successor", () => {
  const faults = (file: RootFile, at = now) => successionFaults(first, file, at);

  test("needs a threshold of the keys before and of its own, where a key in both counts for both", () => {
    expect(faults(signedBy(b, c))).toEqual([]);
    expect(faults(signedBy(a, b, d))).toEqual([]);
    expect(faults(signedBy(a, b))).toEqual([
      expect.stringMatching(/signed by 1 of .* version 2, 2 are/),
    ]);
    expect(faults(signedBy(c, d))).toEqual([
      expect.stringMatching(/signed by 1 of .* version 1, 2 are/),
    ]);
    expect(faults(signedBy())).toHaveLength(2);
  });

  test("a removed key counts nothing from the version after on", () => {
    const second = signedBy(b, c);
    const third = makeNextRoot(second.signed, same, now);
    const by = (...keys: readonly RootKey[]) =>
      successionFaults(second, keys.reduce(withSignature, { signed: third, signatures: [] }), now);
    expect(by(a)).toHaveLength(2);
    expect(by(a, b)).toHaveLength(2);
    expect(by(b, d)).toEqual([]);
  });

  test("does not count a signature over other bytes", () => {
    const stolen = { signed: replaced, signatures: first.signatures };
    expect(faults(stolen)).toHaveLength(2);
  });

  test("is the next version and not expired", () => {
    expect(faults(signedBy(b, c), now + 365 * day)).toEqual([
      expect.stringMatching(/^root 2 expired at/),
    ]);
    expect(successionFaults(signedBy(b, c), first, now)[0]).toBe(
      "it is version 1, and version 3 is next",
    );
    expect(successionFaults(undefined, first, now)).toEqual([]);
  });
});

describe("a root file", () => {
  test("is read back as written, also with white space that mail added at its end", () => {
    expect(readRootFile(`${rootFileText(first)}\r\n`, "x")).toEqual(first);
  });

  test.each<[string, string]>([
    ["white space within", rootFileText(first).replace(":", ": ")],
    ["an unknown field", formatCanonical({ ...first, more: 1 })],
    [
      "a signature twice",
      formatCanonical({ ...first, signatures: [0, 0].map((i) => first.signatures[i]) }),
    ],
    [
      "a key by another's id",
      rootFileText(first).replaceAll(a.key.keyval.public, d.key.keyval.public),
    ],
    [
      "a key of low order",
      signRoot(buildRoot({ ...beginning, rootKeys: [a.key, tufKey("00".repeat(32))] }), []),
    ],
    [
      "a root key that is online too",
      formatCanonical({
        signatures: [],
        signed: {
          ...first.signed,
          roles: { ...first.signed.roles, targets: first.signed.roles.root },
        },
      }),
    ],
  ])("with %s is refused", (_, text) => {
    expect(() => readRootFile(text, "mailed.json")).toThrow(/^mailed\.json: /);
  });

  test("copies signed apart join to the file signed by all; copies of another root do not", () => {
    expect(joinCopies(signedBy(b), [signedBy(c), signedBy(b, d)])).toEqual(signedBy(b, c, d));
    expect(() => joinCopies(signedBy(b), [first])).toThrow("not copies of one root");
  });
});

test.each([
  [60 * day + 1, undefined],
  [60 * day, "(within 60)"],
  [30 * day + 1, "(within 60)"],
  [30 * day, "(within 30)"],
  [7 * day, "(within 7)"],
  [0, "expired"],
])("with %d ms left the warning has %s", (left, part) => {
  const warning = describeExpiry("root version 1", left, null);
  if (part === undefined) expect(warning).toBeUndefined();
  else expect(warning).toContain(part);
});

describe("at the terminal, without a control plane", () => {
  const folder = folderOf({ "1.json": rootFileText(first) });
  afterAll(() => folder.remove());
  const at = (name: string): string => join(folder.path, name);
  for (const [name, { privateKey }] of Object.entries({ a, b, c }))
    writeFileSync(at(`${name}.pem`), privateKey.export({ type: "pkcs8", format: "pem" }));

  test("a key is made in files of its own and never over one", async () => {
    const made = await runCli(["root", "key", "--out", at("d.pem")]);
    expect(made).toMatchObject({ code: 0, lines: [expect.stringMatching(/^[0-9a-f]{64}$/)] });
    expect(statSync(at("d.pem")).mode & 0o777).toBe(0o600);
    expect(readFileSync(at("d.pem.pub"), "utf8")).toContain("PUBLIC KEY");
    expect(await runCli(["root", "key", "--out", at("d.pem")])).toMatchObject({
      code: 1,
      lines: [],
    });
  });

  test("a root is written unsigned, shown with its changes, and signed by keys of either root alone", async () => {
    const change = ["--add-key", at("d.pem.pub"), "--remove-key", a.keyid.slice(0, 16)];
    const rotate = ["root", "rotate", "--from", at("1.json"), "--out", at("2.json"), ...change];
    expect(await runCli(rotate)).toMatchObject({ code: 0, errors: [] });
    expect((await runCli(rotate)).errors).toEqual([expect.stringContaining("cannot write")]);
    const shown = await runCli(["root", "show", at("2.json"), "--from", at("1.json")]);
    expect(shown.lines).toContain(`- root key ${a.keyid}`);
    expect(shown.lines.join("\n")).toMatch(/^signed by +0 of its own root keys, 2 are needed$/m);

    const sign = (key: string, ...more: readonly string[]) =>
      runCli(["root", "sign", at("2.json"), "--key", at(key), ...more]);
    expect((await sign("a.pem")).errors).toEqual([
      expect.stringContaining("is no root key of version 2"),
    ]);
    expect((await sign("d.pem.pub")).code).toBe(1);
    expect((await sign("a.pem", "--from", at("1.json"))).lines.slice(1)).toEqual([
      "1 of 2 needed by the root keys of version 1",
      "0 of 2 needed by the root keys of version 2",
    ]);
    expect((await sign("b.pem", "--from", at("1.json"))).lines[2]).toMatch(/^1 of 2/);
    expect((await sign("b.pem")).lines[1]).toMatch(/^1 of 2/);
    expect((await sign("d.pem")).lines[1]).toMatch(/^2 of 2/);
    expect(
      successionFaults(first, readRootFile(readFileSync(at("2.json"), "utf8"), "2.json"), now),
    ).toEqual([]);
  });

  test("a private key is not taken where a public one belongs, and is never quoted", async () => {
    const given = ["--from", at("1.json"), "--out", at("x.json"), "--add-key", at("b.pem")];
    const { code, errors } = await runCli(["root", "rotate", ...given]);
    expect({ code, errors }).toEqual({
      code: 1,
      errors: [expect.stringContaining("is a private key")],
    });
    expect(errors.join()).not.toContain(readFileSync(at("b.pem"), "utf8").split("\n")[1]);
  });

  test.each([
    [["root", "rotate"]],
    [["root", "rotate", "--out", "x", "--threshold", "0"]],
    [["root", "rotate", "--out", "x", "--days", "9999"]],
    [["root", "sign", "x"]],
    [["root", "sign", "--key", "x"]],
    [["root", "push"]],
    [["root", "show", "--from", "x"]],
    [["root", "key"]],
  ])("%j is called wrongly", async (args) => {
    expect((await runCli(args)).code).toBe(2);
  });
});
