/**
 * A program as one nft transaction on our own table: flush and declare again, so that counters, sets and timeouts
 * survive, and delete by name what is no longer ours. A table that somebody else put strange things into is made anew. One statement a line, because 1.0.6 refuses some one-liners.
 */
import {
  type Chain,
  hookPriority,
  type Inventory,
  inventoryOf,
  keyType,
  type KernelMap,
  type KernelSet,
  mapShape,
  type Program,
  type Shaped,
  table,
} from "./program.ts";
import { quoteIdentifier, isIdentifier } from "./quote.ts";

/** Our table, as commands name it. */
export const ours = `${table.family} ${table.name}`;
/** A line that nft's parser and error messages handle well, whatever the size of the set. */
const elementsPerLine = 500;

const lines = (texts: readonly string[]): string => `${texts.join("\n")}\n`;

/**
 * The whole apply as one file. All or nothing: the kernel holds the program afterwards, or what it held before.
 * @param present what our table holds now; when it lies the kernel refuses, or a readback tells
 */
export const transaction = (program: Program, present: Inventory): string =>
  print(program, present).text;

export interface Printed {
  /** What to load. */
  readonly text: string;
  /** What would be loaded where nothing is present: the same for equal programs. */
  readonly canonical: string;
}

/** Both texts of a transaction; mostly they are one. */
export function print(program: Program, present: Inventory): Printed {
  const head = formatTable(program).concat(flushes(program));
  const tail = elements(program);
  const canonical = lines([`add table ${ours}`, `flush table ${ours}`, ...head, ...tail]);
  if (!keepsTable(program, present))
    return {
      canonical,
      text: lines([`add table ${ours}`, `delete table ${ours}`, ...head, ...tail]),
    };
  const stale = listDeletions(program, present);
  if (stale.length === 0) return { canonical, text: canonical };
  return {
    canonical,
    text: lines([`add table ${ours}`, `flush table ${ours}`, ...head, ...stale, ...tail]),
  };
}

/** Whether our table can become this program without being made anew. */
export const keepsTable = (program: Program, present: Inventory): boolean =>
  !present.foreign &&
  names(present).every(isIdentifier) &&
  findReshaped(program, present).length === 0;

/** Declares what a program's elements need, and no rule: nothing refers to it. */
export const groundwork = ({ sets, maps, chains, ...rest }: Program): string =>
  lines(
    formatTable({
      ...rest,
      counters: [],
      sets,
      maps,
      chains: chains.filter(({ hook }) => hook === null).map((chain) => ({ ...chain, lines: [] })),
    }),
  );

/** The whole program over sets and maps that must be there, filled: without one of them the kernel refuses it all. */
export const overFilled = (program: Program, present: Inventory): string =>
  lines([
    `add table ${ours}`,
    `flush table ${ours}`,
    ...formatTable({ ...program, sets: [], maps: [] }),
    ...listDeletions(program, present),
  ]);

const flushes = (program: Program): readonly string[] => [
  ...program.sets.map((set) => `flush set ${ours} ${quoteIdentifier(set.name)}`),
  ...program.maps.map((map) => `flush map ${ours} ${quoteIdentifier(map.name)}`),
];

const elements = (program: Program): readonly string[] => [
  ...program.sets.flatMap((set) => formatElements("add", set.name, set.elements)),
  ...program.maps.flatMap((map) => formatElements("add", map.name, mapElements(map))),
];

/**
 * The same rules and objects without elements. Its check costs the same however many members there are, and elements
 * are addresses that the schema has read; the transaction itself refuses what the kernel does.
 */
export const skeleton = (program: Program): string =>
  lines([`add table ${ours}`, `delete table ${ours}`, ...formatTable(program)]);

/** What `leave` loads. */
export const removal: string = lines([`add table ${ours}`, `delete table ${ours}`]);

/** Objects that stand under one of our names with a shape that a declaration cannot change: only tampering does that. */
function findReshaped(program: Program, present: Inventory): readonly string[] {
  const wanted = inventoryOf(program);
  const differs = (have: readonly Shaped[], want: readonly Shaped[]): readonly string[] => {
    const shapes = new Map(want.map(({ name, shape }) => [name, shape]));
    return have.flatMap(({ name, shape }) => ((shapes.get(name) ?? shape) === shape ? [] : [name]));
  };
  return [
    ...differs(present.chains, wanted.chains),
    ...differs([...present.sets, ...present.maps], [...wanted.sets, ...wanted.maps]),
  ];
}

const names = (present: Inventory): readonly string[] => [
  ...[...present.chains, ...present.sets, ...present.maps].map(({ name }) => name),
  ...present.counters,
];

function formatTable(program: Program): readonly string[] {
  return [
    `table ${ours} {`,
    ...program.counters.flatMap((name) => [`\tcounter ${quoteIdentifier(name)} {`, "\t}"]),
    ...program.sets.flatMap(formatSet),
    ...program.maps.flatMap(formatMap),
    ...program.chains.flatMap(formatChain),
    "}",
  ];
}

const formatSet = (set: KernelSet): readonly string[] => [
  `\tset ${quoteIdentifier(set.name)} {`,
  `\t\ttype ${keyType(set)}`,
  ...(set.kind === "networks" ? ["\t\tflags interval"] : []),
  "\t}",
];

const formatMap = (map: KernelMap): readonly string[] => [
  `\tmap ${quoteIdentifier(map.name)} {`,
  `\t\ttype ${mapShape(map)}`,
  "\t}",
];

const formatChain = (chain: Chain): readonly string[] => [
  `\tchain ${quoteIdentifier(chain.name)} {`,
  ...(chain.hook === null
    ? []
    : [
        `\t\ttype filter hook ${chain.hook.hook} priority filter - ${-hookPriority}; policy ${chain.hook.policy};`,
      ]),
  ...chain.lines.map((rule) => `\t\t${rule.text}`),
  "\t}",
];

/** Maps first, as their elements hold on to chains; each kept map is empty by now. */
function listDeletions(program: Program, present: Inventory): readonly string[] {
  const kept = inventoryOf(program);
  const findStale = (have: readonly Shaped[], want: readonly Shaped[]): readonly string[] => {
    const wanted = new Set(want.map(({ name }) => name));
    return have.flatMap(({ name }) => (wanted.has(name) ? [] : [name]));
  };
  const counters = new Set(kept.counters);
  return [
    ...findStale(present.maps, kept.maps).map(
      (name) => `delete map ${ours} ${quoteIdentifier(name)}`,
    ),
    ...findStale(present.sets, kept.sets).map(
      (name) => `delete set ${ours} ${quoteIdentifier(name)}`,
    ),
    ...findStale(present.chains, kept.chains).map(
      (name) => `delete chain ${ours} ${quoteIdentifier(name)}`,
    ),
    ...present.counters
      .filter((name) => !counters.has(name))
      .map((name) => `delete counter ${ours} ${quoteIdentifier(name)}`),
  ];
}

/** A map's elements as nft lists and reads them. */
export const mapElements = (map: KernelMap): readonly string[] => {
  const jumps = new Map(map.elements.map(({ chain }) => [chain, `jump ${quoteIdentifier(chain)}`]));
  return map.elements.map(({ key, chain }) => `${key} : ${jumps.get(chain)}`);
};

export const elementCount = (program: Program): number =>
  [...program.sets, ...program.maps].reduce((sum, { elements: held }) => sum + held.length, 0);

/** Commands on the elements of one set or map. `create` refuses what is there already, `delete` what is not. */
export function formatElements(
  verb: "add" | "create" | "delete",
  name: string,
  texts: readonly string[],
): readonly string[] {
  const chunks = Math.ceil(texts.length / elementsPerLine);
  return Array.from({ length: chunks }, (_, i) => {
    const chunk = texts.slice(i * elementsPerLine, (i + 1) * elementsPerLine);
    return `${verb} element ${ours} ${quoteIdentifier(name)} { ${chunk.join(", ")} }`;
  });
}
