/**
 * From a YAML tree to plain values with the place of each. Aliases repeat a value that is complete before them, so no
 * cycle can be said, and how much they may repeat is bounded. Tags have no meaning in a catalog and are refused.
 */
import { isAlias, isMap, isScalar, isSeq, type YAMLMap } from "yaml";
import { isPlainNumber } from "#schema/primitives.ts";
import type { Path, Spot } from "./places.ts";

export interface Problem {
  readonly offset: number;
  readonly path: Path;
  readonly message: string;
  /** Where the first of two keys stands. */
  readonly earlier?: number;
}

export interface Converted {
  readonly value: unknown;
  readonly spot: Spot;
  readonly problems: readonly Problem[];
}

/** What one file's aliases may repeat, in values: enough for a shared list, too little for a bomb. */
const repeatedMax = 1000;
export const depthMax = 32;

interface Result {
  readonly value: unknown;
  readonly spot: Spot;
  /** Values in it, with all that aliases repeat. */
  readonly size: number;
}

interface Walk {
  readonly anchors: Map<string, Result>;
  readonly problems: Problem[];
  repeated: number;
}

interface At {
  readonly path: Path;
  readonly key: number;
  /** Where the value would be, if there is none. */
  readonly fallback: number;
}

/** Converts a document's contents. */
export function convert(contents: unknown): Converted {
  const walk: Walk = { anchors: new Map(), problems: [], repeated: 0 };
  const { value, spot } = visit(walk, contents, { path: [], key: 0, fallback: 0 });
  return { value, spot, problems: walk.problems };
}

const nothing: ReadonlyMap<string, Spot> = new Map();
const leaf = (value: unknown, key: number, offset: number): Result => ({
  value,
  spot: { key, value: offset, children: nothing },
  size: 1,
});

function visit(walk: Walk, node: unknown, at: At): Result {
  const offset = offsetOf(node) ?? at.fallback;
  const refuse = (message: string): Result => {
    walk.problems.push({ offset, path: at.path, message });
    return leaf(null, at.key, offset);
  };
  if (at.path.length > depthMax) return refuse(`expected at most ${depthMax} levels`);
  if (isAlias(node)) return repeat(walk, node.source, leaf(null, at.key, offset), refuse);
  if (node === null || node === undefined) return leaf(null, at.key, offset);
  if (!isMap(node) && !isSeq(node) && !isScalar(node)) return refuse("expected a value");
  if (node.tag !== undefined) return refuse("tags such as !!binary have no meaning here");
  if (isScalar(node) && Number.isFinite(node.value) && !isPlainNumber(node.source ?? ""))
    return refuse(`expected a number as people write it, such as ${String(node.value)}`);
  const result = isScalar(node)
    ? leaf(node.value, at.key, offset)
    : isMap(node)
      ? convertMapping(walk, node, at, offset)
      : convertSequence(walk, node.items, at, offset);
  if (node.anchor !== undefined) walk.anchors.set(node.anchor, result);
  return result;
}

function repeat(
  walk: Walk,
  name: string,
  here: Result,
  refuse: (message: string) => Result,
): Result {
  const target = walk.anchors.get(name);
  if (target === undefined)
    return refuse("expected an alias of a value that is complete before it");
  const already = walk.repeated > repeatedMax;
  walk.repeated += target.size;
  if (already) return here;
  if (walk.repeated > repeatedMax)
    return refuse(`expected aliases that repeat at most ${repeatedMax} values`);
  return { value: target.value, spot: here.spot, size: target.size };
}

function convertSequence(walk: Walk, items: readonly unknown[], at: At, offset: number): Result {
  const results = items.map((item, index) =>
    visit(walk, item, { path: [...at.path, index], key: offset, fallback: offset }),
  );
  return {
    value: results.map(({ value }) => value),
    spot: {
      key: at.key,
      value: offset,
      children: new Map(results.map(({ spot }, index) => [String(index), spot])),
    },
    size: total(results),
  };
}

function convertMapping(walk: Walk, map: YAMLMap, at: At, offset: number): Result {
  const entries = new Map<string, Result>();
  for (const { key, value } of map.items) {
    const keyOffset = offsetOf(key) ?? offset;
    const name = isScalar(key) && key.tag === undefined ? key.value : undefined;
    const path = typeof name === "string" ? [...at.path, name] : at.path;
    const earlier = typeof name === "string" ? entries.get(name) : undefined;
    const refuse = (message: string): void =>
      void walk.problems.push({ offset: keyOffset, path, message });
    // `__proto__` is an ordinary name in YAML and never one in intent; objects would treat it specially.
    if (typeof name !== "string") refuse("expected a plain name as key");
    else if (name === "__proto__") refuse("unknown field");
    else if (earlier !== undefined)
      walk.problems.push({
        offset: keyOffset,
        path,
        message: "expected each key once",
        earlier: earlier.spot.key,
      });
    else entries.set(name, visit(walk, value, { path, key: keyOffset, fallback: keyOffset }));
  }
  return {
    value: Object.fromEntries([...entries].map(([name, { value }]) => [name, value])),
    spot: {
      key: at.key,
      value: offset,
      children: new Map([...entries].map(([name, { spot }]) => [name, spot])),
    },
    size: total([...entries.values()]),
  };
}

const total = (results: readonly Result[]): number =>
  results.reduce((sum, { size }) => sum + size, 1);

function offsetOf(node: unknown): number | undefined {
  if (!isAlias(node) && !isMap(node) && !isSeq(node) && !isScalar(node)) return undefined;
  return node.range?.[0];
}
