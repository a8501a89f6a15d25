/** What differs between two bodies, field by field, in lines that a reviewer reads. Pure. */
import { formatCanonical } from "#schema/canonical.ts";
import { compareText } from "#schema/order.ts";

export interface Difference {
  readonly tone: "added" | "removed" | "changed";
  /** Such as `roles: + "web"` or `policy: "same-subnet" -> "group-based"`. */
  readonly text: string;
}

type Fields = Readonly<Record<string, unknown>>;
const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The differences from one body to another; a row that is new or gone has nothing to compare. */
export function compareBodies(before: unknown, after: unknown): readonly Difference[] {
  return compareValues("", before, after);
}

/** All that a body says, a line for each field and each item of a list; what is empty says nothing. */
export const listBodyFields = (body: unknown): readonly string[] =>
  isFields(body) ? listFields("", body) : [];

function listFields(path: string, body: Fields): readonly string[] {
  return Object.entries(body).flatMap(([name, value]) => {
    const at = path === "" ? name : `${path}.${name}`;
    if (Array.isArray(value)) return value.map((item) => `${at}: ${formatValue(item)}`);
    return isFields(value) ? listFields(at, value) : [`${at}: ${formatValue(value)}`];
  });
}

function compareValues(path: string, before: unknown, after: unknown): readonly Difference[] {
  if (same(before, after)) return [];
  if (isFields(before) && isFields(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted(
      compareText,
    );
    return names.flatMap((name) =>
      compareValues(path === "" ? name : `${path}.${name}`, before[name], after[name]),
    );
  }
  if (Array.isArray(before) && Array.isArray(after)) return listDifferences(path, before, after);
  if (before === undefined) return [{ tone: "added", text: `${path}: + ${formatValue(after)}` }];
  if (after === undefined) return [{ tone: "removed", text: `${path}: - ${formatValue(before)}` }];
  return [{ tone: "changed", text: `${path}: ${formatValue(before)} -> ${formatValue(after)}` }];
}

/** By items, not positions: an entry put in front of others is one line. */
function listDifferences(
  path: string,
  before: readonly unknown[],
  after: readonly unknown[],
): readonly Difference[] {
  const removed = findMissing(before, after).map((item): Difference => ({
    tone: "removed",
    text: `${path}: - ${formatValue(item)}`,
  }));
  const added = findMissing(after, before).map((item): Difference => ({
    tone: "added",
    text: `${path}: + ${formatValue(item)}`,
  }));
  return removed.length + added.length === 0
    ? [{ tone: "changed", text: `${path}: another order` }]
    : [...removed, ...added];
}

/** Items of one list that have no counterpart in the other; doubled items count. */
function findMissing(items: readonly unknown[], others: readonly unknown[]): readonly unknown[] {
  const left = new Map<string, number>();
  for (const other of others)
    left.set(formatCanonical(other), (left.get(formatCanonical(other)) ?? 0) + 1);
  return items.filter((item) => {
    const text = formatCanonical(item);
    const count = left.get(text) ?? 0;
    left.set(text, count - 1);
    return count <= 0;
  });
}

const same = (a: unknown, b: unknown): boolean =>
  a === b || (a !== undefined && b !== undefined && formatCanonical(a) === formatCanonical(b));

const formatValue = (value: unknown): string =>
  isFields(value)
    ? `{ ${Object.entries(value)
        .map(([name, item]) => `${name}: ${typeof item === "string" ? item : JSON.stringify(item)}`)
        .join(", ")} }`
    : typeof value === "string"
      ? value
      : JSON.stringify(value);
