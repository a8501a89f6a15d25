/** The one of some short words that was probably meant by another. */

/** @returns undefined where none is near: at most a third of the letters may differ */
export function findClosest(word: string, known: readonly string[]): string | undefined {
  const ranked = known.map((name) => ({ name, by: countEdits(word, name) }));
  const best = ranked.reduce<(typeof ranked)[number] | undefined>(
    (nearest, next) => (nearest === undefined || next.by < nearest.by ? next : nearest),
    undefined,
  );
  return best !== undefined && best.by * 3 <= Math.max(word.length, best.name.length)
    ? best.name
    : undefined;
}

/** Letters to insert, delete, replace or swap with their neighbour (optimal string alignment). */
function countEdits(a: string, b: string): number {
  let before: readonly number[] = [];
  let row: readonly number[] = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped =
        a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? (before[j - 2] ?? replaced) + 1 : replaced;
      next.push(Math.min(replaced, swapped, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    [before, row] = [row, next];
  }
  return row[b.length] ?? 0;
}
