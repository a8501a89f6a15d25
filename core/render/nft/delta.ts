/**
 * From one program to another by elements alone, where nothing else differs: membership is data (DESIGN §6). Relies on
 * the kernel holding `from`, and leans on the kernel to refuse where it does not: `create` and `delete` fail on an
 * element that is there already or is not. Never prints a rule, so rules, counters and timeouts are not touched.
 */
import { oneTransactionMax } from "./flip.ts";
import { elementCount, formatElements, mapElements, ours, skeleton } from "./print.ts";
import type { Program } from "./program.ts";
import { quoteIdentifier } from "./quote.ts";

interface Holder {
  readonly name: string;
  readonly interval: boolean;
  readonly elements: readonly string[];
}

const holders = (program: Program): readonly Holder[] => [
  ...program.sets.map(({ name, kind, elements }) => ({
    name,
    interval: kind === "networks",
    elements,
  })),
  ...program.maps.map((map) => ({ name: map.name, interval: false, elements: mapElements(map) })),
];

interface Change {
  /** Before any element is added: an address may go from one map's value to another's. */
  readonly out: readonly string[];
  readonly in: readonly string[];
  /** Elements that nft has to read. */
  readonly size: number;
}

/**
 * One transaction of elements, empty when the programs are equal. Undefined when more than elements differs, or when
 * the whole program is no longer than the difference, or that is too large for one transaction.
 */
export function makeTransaction(from: Program, to: Program): string | undefined {
  if (skeleton(from) !== skeleton(to)) return undefined;
  const before = new Map(holders(from).map((holder) => [holder.name, holder.elements]));
  const changes = holders(to).map((holder) => changeOf(before.get(holder.name) ?? [], holder));
  const size = changes.reduce((sum, change) => sum + change.size, 0);
  if (size > Math.min(elementCount(to), oneTransactionMax)) return undefined;
  const lines = [
    ...changes.flatMap((change) => change.out),
    ...changes.flatMap((change) => change.in),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

/**
 * Intervals are flushed and filled again: nft 1.0.6 takes 16 ms to delete one of 10,000, and an interval that is split
 * or joined is looked up beside what it replaces.
 */
function changeOf(before: readonly string[], { name, interval, elements }: Holder): Change {
  const had = new Set(before);
  const has = new Set(elements);
  const come = elements.filter((element) => !had.has(element));
  const gone = before.filter((element) => !has.has(element));
  if (interval && come.length + gone.length > 0)
    return {
      out: [`flush set ${ours} ${quoteIdentifier(name)}`],
      in: formatElements("add", name, elements),
      size: elements.length,
    };
  return {
    out: formatElements("delete", name, gone),
    in: formatElements("create", name, come),
    size: come.length + gone.length,
  };
}
