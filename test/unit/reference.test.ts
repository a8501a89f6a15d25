/** The pages of docs/reference that are made from definitions, and the table of findings that one is made of. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { findingEntry } from "#schema/diagnostics.ts";
import { diagnosticCodes } from "#schema/refusals.ts";
import { referenceFindings } from "../checks/reference.ts";
import { typeText } from "../checks/reference/shapes.ts";

const root = join(import.meta.dirname, "..", "..");

test("a page that is not what the definitions say is named, and no other", () => {
  const copy = mkdtempSync(join(tmpdir(), "portcullis-reference-"));
  onTestFinished(() => rmSync(copy, { recursive: true }));
  cpSync(join(root, "docs", "reference"), join(copy, "docs", "reference"), { recursive: true });
  expect(referenceFindings(copy)).toEqual([]);
  const page = join(copy, "docs", "reference", "codes.md");
  writeFileSync(page, readFileSync(page, "utf8").replace("signature_invalid", "signature_wrong"));
  expect(referenceFindings(copy)).toEqual([expect.stringContaining("docs/reference/codes.md")]);
});

test("each finding of the compiler has the severity that its table says", () => {
  const folder = join(root, "core", "compile");
  const text = readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), "utf8"))
    .join("\n");
  const said = new Map<string, Set<string>>();
  for (const [, severity = "", code = ""] of text.matchAll(/\b(error|warning)\(\s*"(\w+)"/g))
    said.set(code, (said.get(code) ?? new Set()).add(severity));
  expect(said.size).toBeGreaterThan(15);
  for (const code of diagnosticCodes) {
    const severities = [...(said.get(code) ?? [])];
    if (severities.length === 0) continue;
    expect([code, severities.length > 1 ? "either" : severities[0]]).toEqual([
      code,
      findingEntry(code).severity,
    ]);
  }
});

test("a shape is said in one line, with what it is made of", () => {
  const page = {
    type: "object",
    properties: { items: { items: { $ref: "#/a/Run" } }, next_cursor: {} },
  };
  expect(typeText(page)).toBe("a page of [Run](#run)");
  expect(typeText({ anyOf: [{ type: "string" }, { type: "null" }] })).toBe("text or null");
  expect(typeText({ enum: ["tcp", "udp"] })).toBe('`"tcp"` or `"udp"`');
  expect(typeText({ type: "integer", minimum: 1, maximum: 9 })).toBe("number from 1 to 9");
});
