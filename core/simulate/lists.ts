/** How two lists differ: what one lacks, and what stands elsewhere. Doubled items count as often as they stand there. */

/** Those of `items` that `others` does not hold, each as often as it is missing there. */
export function subtractItems<T>(
  items: readonly T[],
  others: readonly T[],
  textOf: (item: T) => string,
): readonly T[] {
  const left = new Map<string, number>();
  for (const text of others.map(textOf)) left.set(text, (left.get(text) ?? 0) + 1);
  return items.filter((item) => {
    const text = textOf(item);
    const count = left.get(text) ?? 0;
    left.set(text, count - 1);
    return count <= 0;
  });
}

/** An item that both lists have, and what it stands behind now; undefined: it is the first. */
export interface Moved<T> {
  readonly item: T;
  readonly behind: T | undefined;
}

/** The fewest items of `after` that would have to move for both lists to have what they share in one order. */
export function findMoved<T>(
  before: readonly T[],
  after: readonly T[],
  textOf: (item: T) => string,
): readonly Moved<T>[] {
  const places = Map.groupBy(before.entries(), ([, item]) => textOf(item));
  const shared = after.flatMap((item, at) => {
    const found = places.get(textOf(item))?.shift();
    return found === undefined ? [] : [{ item, at, place: found[0] }];
  });
  const staying = findLongestRise(shared.map(({ place }) => place));
  return shared.flatMap(({ item, at }, i) =>
    staying.has(i) ? [] : [{ item, behind: after[at - 1] }],
  );
}

/** Indices of a longest rising subsequence of different numbers. */
function findLongestRise(numbers: readonly number[]): ReadonlySet<number> {
  /** The index that ends the best sequence of each length, and what each index stands behind in its own. */
  const ends: number[] = [];
  const previous: (number | undefined)[] = [];
  for (const [i, number] of numbers.entries()) {
    let [low, high] = [0, ends.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((numbers[ends[middle] ?? 0] ?? 0) < number) low = middle + 1;
      else high = middle;
    }
    previous[i] = ends[low - 1];
    ends[low] = i;
  }
  const found = new Set<number>();
  for (let i = ends.at(-1); i !== undefined; i = previous[i]) found.add(i);
  return found;
}
