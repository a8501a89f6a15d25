/**
 * The shape of the code in figures: folders, arrows between rooms, sizes of files and functions, names, prose. Reads
 * files and counts; decides nothing. A room is a folder of the first two levels, such as `agent/trust`.
 */
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { type Node, parseSync, Visitor } from "oxc-parser";
import { isVerbFirst } from "./verbs.ts";

export interface Source {
  /** Path in the repository. */
  readonly path: string;
  readonly text: string;
}

export interface Arrow {
  readonly from: string;
  readonly to: string;
  readonly imports: number;
}

export interface NamedFunction {
  readonly name: string;
  readonly lines: number;
  /** It gives one expression: an arrow without statements, or a method that only returns. */
  readonly isExpression: boolean;
}

export const readSources = (root: string, paths: readonly string[]): readonly Source[] =>
  paths.map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));

/** Folder of the first two levels; `agent/` is what lies loose in `agent`. */
export function roomOf(path: string): string {
  const [top = "", second = "", third] = path.split("/");
  return third === undefined ? `${top}/` : `${top}/${second}`;
}

/** How many files lie in each folder that has some, by folder. */
export function countByFolder(sources: readonly Source[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { path } of sources) counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1);
  return new Map([...counts].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * Imports between different rooms, by their names.
 * @param aliases of package.json's `imports`, such as `#schema/*` → `./schema/*`
 */
export function arrowsBetween(
  sources: readonly Source[],
  aliases: Readonly<Record<string, string>>,
): readonly Arrow[] {
  const counts = new Map<string, number>();
  for (const { path, text } of sources)
    for (const [, specifier = ""] of text.matchAll(/(?:from|import) "([^"]+\.ts)"/g)) {
      const target = resolveImport(path, specifier, aliases);
      if (target === undefined || roomOf(target) === roomOf(path)) continue;
      const key = `${roomOf(path)} ${roomOf(target)}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  return [...counts]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, imports]) => {
      const [from = "", to = ""] = key.split(" ");
      return { from, to, imports };
    });
}

function resolveImport(
  path: string,
  specifier: string,
  aliases: Readonly<Record<string, string>>,
): string | undefined {
  if (specifier.startsWith(".")) return normalize(join(dirname(path), specifier));
  for (const [alias, target] of Object.entries(aliases)) {
    const prefix = alias.replace(/\*$/, "");
    if (specifier.startsWith(prefix))
      return normalize(target.replace(/\*$/, "") + specifier.slice(prefix.length));
  }
  return undefined;
}

/** Arrows of rooms that can be walked back to where they began, so that neither can be understood alone. */
export function circularArrows(arrows: readonly Arrow[]): readonly Arrow[] {
  const next = Map.groupBy(arrows, ({ from }) => from);
  const reaches = (start: string, goal: string): boolean => {
    const seen = new Set<string>();
    const queue = [start];
    for (let room = queue.pop(); room !== undefined; room = queue.pop()) {
      if (room === goal) return true;
      if (seen.has(room)) continue;
      seen.add(room);
      queue.push(...(next.get(room) ?? []).map(({ to }) => to));
    }
    return false;
  };
  return arrows.filter(({ from, to }) => reaches(to, from));
}

/** Functions with a name: declarations, methods, and arrow functions or function expressions that a const holds. */
export function namedFunctions({ path, text }: Source): readonly NamedFunction[] {
  const found: NamedFunction[] = [];
  const add = (
    name: string,
    { start, end }: Pick<Node, "start" | "end">,
    isExpression = false,
  ): void => {
    found.push({ name, lines: text.slice(start, end).split("\n").length, isExpression });
  };
  new Visitor({
    FunctionDeclaration(node) {
      if (node.id !== null) add(node.id.name, node);
    },
    MethodDefinition(node) {
      if (node.key.type !== "Identifier" || node.kind !== "method") return;
      const body = node.value.body?.body ?? [];
      add(node.key.name, node, body.length === 1 && body[0]?.type === "ReturnStatement");
    },
    VariableDeclarator(node) {
      const { id, init } = node;
      if (id.type !== "Identifier") return;
      if (init?.type === "ArrowFunctionExpression") add(id.name, node, init.expression);
      if (init?.type === "FunctionExpression") add(id.name, node);
    },
  }).visit(parseSync(path, text).program);
  return found;
}

/** Names of what a file declares: types, interfaces, classes, private fields, and values that no pattern takes apart. */
export function declaredNames({ path, text }: Source): readonly string[] {
  const found: string[] = [];
  const add = (node: { readonly name: string } | null): void => {
    if (node !== null) found.push(node.name);
  };
  new Visitor({
    TSTypeAliasDeclaration: ({ id }) => add(id),
    TSInterfaceDeclaration: ({ id }) => add(id),
    ClassDeclaration: ({ id }) => add(id),
    VariableDeclarator({ id }) {
      if (id.type === "Identifier") add(id);
    },
    PropertyDefinition({ key }) {
      if (key.type === "PrivateIdentifier") add(key);
    },
  }).visit(parseSync(path, text).program);
  return found;
}

/** Shares of 0–1: the middle and the one that 5 % exceed. */
export function spread(values: readonly number[]): {
  readonly median: number;
  readonly p95: number;
  readonly max: number;
} {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
  return { median: at(0.5), p95: at(0.95), max: sorted.at(-1) ?? 0 };
}

/** Share of names that begin with a verb. */
export const verbShare = (functions: readonly NamedFunction[]): number =>
  functions.length === 0
    ? 0
    : functions.filter(({ name }) => isVerbFirst(name)).length / functions.length;

/** Share of names of one word. */
export const oneWordShare = (functions: readonly NamedFunction[]): number =>
  functions.length === 0
    ? 0
    : functions.filter(({ name }) => /^[a-z0-9]+$/.test(name)).length / functions.length;

export const countWords = (text: string): number =>
  text.split(/\s+/).filter((word) => word !== "").length;
