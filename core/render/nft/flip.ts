/**
 * Very large programs in bounded memory: elements go in chunks to sets and maps that no rule names, and one transaction
 * flips the rules to them. A program's sets therefore have two names each, and which one is live can be read from an
 * inventory. Where both are present a load was cut off; then the whole goes in one transaction, which deletes the other.
 */
import {
  elementCount,
  formatElements,
  groundwork,
  keepsTable,
  mapElements,
  overFilled,
} from "./print.ts";
import { type Inventory, inventoryOf, type Program } from "./program.ts";
import { isIdentifier, namesPrefixed } from "./quote.ts";

/** Elements; nft holds about 650 bytes for each one of a transaction. */
export const oneTransactionMax = 50_000;
/** Lines of at most 500 elements. */
const linesPerChunk = 50;

/** No name of a renderer's begins so. */
const prefix = "flip";
const other = (name: string): string => `${prefix}${name}`;

/** The same program with the other name for every set and map. */
export const flipNames = (program: Program): Program => ({
  ...program,
  sets: program.sets.map((set) => ({ ...set, name: other(set.name) })),
  maps: program.maps.map((map) => ({ ...map, name: other(map.name) })),
  chains: program.chains.map((chain) => ({
    ...chain,
    lines: chain.lines.map(({ text, counters, sets, decision }) => ({
      text: namesPrefixed(text, prefix),
      counters,
      sets: sets.map(other),
      decision: decision.kind === "vmap" ? { kind: "vmap", map: other(decision.map) } : decision,
    })),
  })),
});

export const isFlipped = ({ sets, maps }: Inventory): boolean =>
  [...sets, ...maps].some(({ name }) => name.startsWith(prefix));

export interface Staged {
  /** To be loaded one after the other; none of them changes what a rule does. */
  readonly texts: readonly string[];
  /** Loaded last, when all of those were. */
  readonly flip: string;
}

/**
 * Undefined where one transaction is to load it all: a program that is not very large, a table that does not judge yet
 * or is to be made anew, or one where these names are taken.
 * @param program under the names that are not live
 */
export function stageProgram(program: Program, present: Inventory): Staged | undefined {
  const { sets, maps } = inventoryOf(program);
  const names = [...sets, ...maps].map(({ name }) => name);
  const taken = new Set([...present.sets, ...present.maps].map(({ name }) => name));
  const judges = present.chains.some(({ shape }) => shape !== "");
  if (elementCount(program) <= oneTransactionMax || !judges || !keepsTable(program, present))
    return undefined;
  if (names.some((name) => taken.has(name) || !isIdentifier(name))) return undefined;
  return {
    texts: [groundwork(program), ...splitChunks(program)],
    flip: overFilled(program, present),
  };
}

/** Intervals last and each set whole, as nft reads all that a table has of them before it adds one element. */
function splitChunks(program: Program): readonly string[] {
  const hashes = program.sets.filter(({ kind }) => kind !== "networks");
  const intervals = program.sets.filter(({ kind }) => kind === "networks");
  const lines = [
    ...hashes.flatMap((set) => formatElements("create", set.name, set.elements)),
    ...program.maps.flatMap((map) => formatElements("create", map.name, mapElements(map))),
  ];
  const count = Math.ceil(lines.length / linesPerChunk);
  return [
    ...Array.from({ length: count }, (_, i) =>
      lines.slice(i * linesPerChunk, (i + 1) * linesPerChunk),
    ),
    ...intervals.map((set) => formatElements("create", set.name, set.elements)),
  ]
    .filter((chunk) => chunk.length > 0)
    .map((chunk) => `${chunk.join("\n")}\n`);
}
