/**
 * Reads the guard file. It is what stands between a stolen control plane and this host, so anything doubtful about it
 * refuses: a file others may write, a duplicate key, an alias, an unknown field, a management plane with nothing in it.
 * A refused guard never becomes a permissive one; the last committed ruleset stays.
 */
import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { type Document, parseDocument, visit } from "yaml";
import type * as z from "zod";
import { formatCanonical } from "#schema/canonical.ts";
import { Guard, GuardFile, mergePresets } from "#schema/guard.ts";
import { isPlainNumber } from "#schema/primitives.ts";
import { isErrno } from "#agent/disk/files.ts";
import { Refused } from "#agent/machine/refusal.ts";
import { sha256 } from "#agent/disk/digest.ts";
import { findUnreachable } from "./reach.ts";

export interface LoadedGuard {
  readonly guard: Guard;
  /** Digest of the canonical content: comments and order do not count. */
  readonly sha256: string;
  /** Names of the presets that the file asks for. */
  readonly presets: readonly GuardFile["presets"][number]["name"][];
}

const guardBytesMax = 64 * 1024;

/**
 * @param controlPlane URL that `output` must leave open, where the guard narrows it; undefined before a host joined
 * @throws Refused `guard_invalid` with path and reason
 */
export function loadGuard(path: string, controlPlane: string | undefined): LoadedGuard {
  return parseGuard(readOwned(path), controlPlane);
}

/** The same, for who asks at each poll: reads and checks the file each time, and parses only what has changed. */
export function guardReader(path: string, controlPlane: string): () => LoadedGuard {
  let last: { readonly text: string; readonly loaded: LoadedGuard } | undefined;
  return () => {
    const text = readOwned(path);
    if (last?.text !== text) last = { text, loaded: parseGuard(text, controlPlane) };
    return last.loaded;
  };
}

/** @throws Refused `guard_invalid` */
export function parseGuard(text: string, controlPlane?: string): LoadedGuard {
  const document = parseDocument(text, {
    version: "1.2",
    strict: true,
    uniqueKeys: true,
    stringKeys: true,
  });
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined)
    throw invalid(
      `line ${problem.linePos?.[0].line ?? "?"}: ${problem.message.split("\n")[0] ?? "not YAML"}`,
    );
  refuseOddNumbers(document);
  const file = parseWith(
    GuardFile,
    readPlain(() => document.toJS({ maxAliasCount: 0 })),
  );
  const guard = parseWith(Guard, mergePresets(file));
  const lacking = findUnreachable(guard, controlPlane);
  if (lacking !== undefined) throw invalid(`/output/allow: ${lacking}`);
  const presets = file.presets.map(({ name }) => name);
  return { guard, sha256: sha256(formatCanonical(guard)), presets };
}

function refuseOddNumbers(document: Document): void {
  visit(document, {
    Scalar: (_, { source = "", value }) => {
      if (Number.isFinite(value) && !isPlainNumber(source))
        throw invalid(
          `expected a number as people write it, such as ${String(value)}, found ${source}`,
        );
    },
  });
}

function parseWith<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw invalid(`/${issue?.path.map(String).join("/") ?? ""}: ${issue?.message ?? "unexpected"}`);
}

function readPlain(read: () => unknown): unknown {
  try {
    return read();
  } catch {
    throw invalid("expected no aliases");
  }
}

/** One open file for check and read, so that nobody can swap it in between. */
function readOwned(path: string): string {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    throw invalid(`cannot read it (${isErrno(error) ? error.code : "error"})`);
  }
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) throw invalid("expected a file");
    if (stat.uid !== 0 && stat.uid !== process.getuid?.())
      throw invalid("expected it to belong to root");
    if ((stat.mode & 0o022) !== 0) throw invalid("expected that only its owner may write it");
    if (stat.size > guardBytesMax) throw invalid(`expected at most ${guardBytesMax} bytes`);
    return readFileSync(file, "utf8");
  } finally {
    closeSync(file);
  }
}

const invalid = (why: string): Refused => new Refused("guard_invalid", `guard file: ${why}`);
