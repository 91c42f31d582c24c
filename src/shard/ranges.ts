// Ranges of positions in one shard, in order and without overlaps. A search takes a number of comparisons that grows with the
// logarithm of what is known: batches have up to 10,000 records, and each may be asked about.

import type { RecordBatch } from "../model/batch.ts";
import { comparePositions, type Position } from "../model/position.ts";

/** Positions, both included. */
export interface Range {
  readonly first: Position;
  readonly last: Position;
}

export class Ranges<T extends Range> {
  #sorted: readonly T[] = [];

  get count(): number {
    return this.#sorted.length;
  }

  /** Those that overlap a range, in order. */
  touching(range: Range): readonly T[] {
    return this.#sorted.slice(...this.#bounds(range));
  }

  /** Puts one in. What it overlaps makes way. */
  add(range: T): void {
    const [from, to] = this.#bounds(range);
    this.#sorted = this.#sorted.toSpliced(from, to - from, range);
  }

  /** Takes out what overlaps a range. */
  remove(range: Range): void {
    const [from, to] = this.#bounds(range);
    if (to > from) this.#sorted = this.#sorted.toSpliced(from, to - from);
  }

  /** Takes out what ends at or before a position. */
  removeUpTo(position: Position): void {
    const from = firstIndex(this.#sorted.length, (i) => this.#endsBehind(i, position));
    if (from > 0) this.#sorted = this.#sorted.slice(from);
  }

  /** Where those begin and end that overlap a range. */
  #bounds({ first, last }: Range): readonly [from: number, to: number] {
    const { length } = this.#sorted;
    const from = firstIndex(length, (i) => !this.#endsBefore(i, first));
    const to = firstIndex(length, (i) => this.#beginsBehind(i, last));
    return [from, Math.max(from, to)];
  }

  #endsBefore(index: number, position: Position): boolean {
    const range = this.#sorted[index];
    return range !== undefined && comparePositions(range.last, position) < 0;
  }

  #endsBehind(index: number, position: Position): boolean {
    const range = this.#sorted[index];
    return range !== undefined && comparePositions(range.last, position) > 0;
  }

  #beginsBehind(index: number, position: Position): boolean {
    const range = this.#sorted[index];
    return range !== undefined && comparePositions(range.first, position) > 0;
  }
}

/** Which records of a batch lie in a range: from the first index up to but without the second. */
export function indexesIn(records: RecordBatch, { first, last }: Range): readonly [number, number] {
  const { count } = records;
  const from = firstIndex(count, (i) => comparePositions(records.position(i), first) >= 0);
  const to = firstIndex(count, (i) => comparePositions(records.position(i), last) > 0);
  return [from, to];
}

/** The lowest index for which `holds` is true, where it is true for all above; `count` when it is for none. */
function firstIndex(count: number, holds: (index: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
