import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { loadGuard, parseGuard } from "#agent/guard/index.ts";

const directory = mkdtempSync(join(tmpdir(), "portcullis-guard-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const good = "management:\n  interfaces: [wg0]\n  allow:\n    - { cidr: 10.0.0.0/8, proto: tcp, port: 22 }\n";

test("reads a guard; its digest is of the content, not of comments or order", () => {
  const { guard, sha256 } = parseGuard(good);
  expect(guard.management.interfaces).toEqual(["wg0"]);
  const other =
    "# ours\nmanagement:\n  allow: [{ port: 22, proto: tcp, cidr: 10.0.0.0/8 }]\n  interfaces: [wg0]\n";
  expect(parseGuard(other).sha256).toBe(sha256);
  expect(parseGuard(good.replace("22", "23")).sha256).not.toBe(sha256);
});

test.each([
  ["an empty file", "", "guard file: /"],
  ["an empty management plane", "management: {}\n", "management"],
  ["empty lists", "management: { interfaces: [], allow: [] }\n", "management"],
  ["an unknown field", `${good}open: true\n`, "open"],
  ["a duplicate key", `${good}management: { interfaces: [eth0] }\n`, "line 5"],
  ["an alias", "management: { interfaces: &a [wg0] }\nlimits: *a\n", "no aliases"],
  ["a tag of its own", "management: !!js/function 'x'\n", "line 1"],
  ["host bits in a CIDR", good.replace("10.0.0.0/8", "10.0.0.1/8"), "/management/allow/0/cidr"],
  ["an interface name of 16 characters", good.replace("wg0", "abcdefghijklmnop"), "/management/interfaces/0"],
  ["port 0", good.replace("22", "0"), "/management/allow/0/port"],
  ["two documents", `${good}---\n${good}`, "guard file"],
])("refuses %s and says where", (_, text, where) => {
  expect(() => parseGuard(text)).toThrow(
    expect.objectContaining({ code: "guard_invalid", message: expect.stringContaining(where) as string }),
  );
});

test.each([0o622, 0o606, 0o666])("refuses a file that others may write (mode %o)", (mode) => {
  const path = join(directory, "guard.yaml");
  writeFileSync(path, good);
  chmodSync(path, mode);
  expect(() => loadGuard(path)).toThrow(expect.objectContaining({ code: "guard_invalid" }));
  chmodSync(path, 0o644);
  expect(loadGuard(path).guard.management.allow).toHaveLength(1);
});

test("refuses a file that is not there, and a directory", () => {
  expect(() => loadGuard(join(directory, "none"))).toThrow(
    expect.objectContaining({ code: "guard_invalid" }),
  );
  expect(() => loadGuard(directory)).toThrow(expect.objectContaining({ code: "guard_invalid" }));
});
