// The known name that a user probably meant by a misspelled one.

/** One letter in this many may be wrong. */
const LETTERS_PER_MISTAKE = 4;
/** But never more letters than this. */
const MISTAKES_MAX = 4;

/**
 * @returns the known name that differs from `wanted` in the fewest letters; `undefined` if none is
 * similar.
 */
export function nearest(wanted: string, known: readonly string[]): string | undefined {
  const word = wanted.toLowerCase();
  const mistakes = Math.floor(word.length / LETTERS_PER_MISTAKE);
  const limit = Math.max(1, Math.min(MISTAKES_MAX, mistakes));
  let best: { readonly name: string; readonly distance: number } | undefined;
  for (const name of known) {
    const distance = editDistance(word, name.toLowerCase());
    if (distance <= limit && distance < (best?.distance ?? Number.POSITIVE_INFINITY)) {
      best = { name, distance };
    }
  }
  return best?.name;
}

/** The number of insertions, deletions, replacements and swaps of neighbours between two texts. */
function editDistance(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const differs = from[i - 1] === to[j - 1] ? 0 : 1;
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + differs);
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]) {
        cost = Math.min(cost, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[to.length] ?? 0;
}
