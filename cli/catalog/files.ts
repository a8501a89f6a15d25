/**
 * Which files a catalog is made of. A directory is read whole, sorted, and nothing outside it: a link that leads out is
 * refused. Names that begin with a dot are left alone, so that a checkout's own files are no catalog.
 */
import {
  closeSync,
  type Dirent,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  statSync,
} from "node:fs";
import { join, relative, sep } from "node:path";
import { compareText } from "#schema/order.ts";
import { Failure } from "#cli/text/output.ts";
import type { CatalogFile } from "./yaml.ts";

const sizeMax = 4 * 1024 * 1024;
const extension = /\.(?:yaml|yml|json)$/;

/**
 * Reads what `-f` names: a file, a directory, or `-` for the standard input.
 * @throws Failure for what cannot be read, is too large, is not UTF-8, or for a directory without a catalog file
 */
export function readCatalogFiles(paths: readonly string[]): readonly CatalogFile[] {
  return paths.flatMap((path) => {
    if (path === "-") return [{ name: "<stdin>", text: readText(0, "<stdin>") }];
    if (!attempt(path, () => statSync(path).isDirectory())) return [readPath(path)];
    const files = attempt(path, () => listDirectory(path, path)).toSorted(compareText);
    if (files.length === 0) throw new Failure(`${path} holds no *.yaml, *.yml or *.json`);
    return files.map(readPath);
  });
}

function listDirectory(root: string, directory: string): readonly string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name.startsWith(".")) return [];
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return listDirectory(root, path);
    return isCatalogFile(root, path, entry) ? [path] : [];
  });
}

function isCatalogFile(root: string, path: string, entry: Dirent): boolean {
  if (entry.isFile()) return extension.test(entry.name);
  if (!entry.isSymbolicLink()) return false;
  const inside = relative(realpathSync(root), realpathSync(path));
  if (inside === ".." || inside.startsWith(`..${sep}`))
    throw new Failure(`${path} is a link out of ${root}`);
  const target = statSync(path);
  if (target.isDirectory()) throw new Failure(`${path} is a link to a directory`);
  return target.isFile() && extension.test(entry.name);
}

function readPath(path: string): CatalogFile {
  const descriptor = attempt(path, () => openSync(path, "r"));
  try {
    return { name: path, text: readText(descriptor, path) };
  } finally {
    closeSync(descriptor);
  }
}

/** Reads no more than a byte above the limit, also from a pipe that never ends. */
function readText(descriptor: number, name: string): string {
  const buffer = Buffer.alloc(sizeMax + 1);
  let length = 0;
  for (let read = 1; read > 0 && length < buffer.length; length += read)
    read = attempt(name, () => readSync(descriptor, buffer, length, buffer.length - length, null));
  if (length > sizeMax) throw new Failure(`${name} is larger than ${sizeMax} bytes`);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(buffer.subarray(0, length));
  } catch {
    throw new Failure(`${name} is not UTF-8`);
  }
}

/** Runs what touches a file. @throws Failure in one sentence */
function attempt<T>(path: string, task: () => T): T {
  try {
    return task();
  } catch (error) {
    if (error instanceof Failure) throw error;
    const reason =
      error instanceof Error && "code" in error ? String(error.code) : "unknown reason";
    throw new Failure(`cannot read ${path}: ${reason}`);
  }
}
