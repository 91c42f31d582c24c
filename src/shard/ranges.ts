// Ranges of positions in one shard, in order and without overlaps. A search is binary, because
// batches have up to 10,000 records and each of them may be looked up.

import type { RecordBatch } from "../model/batch.ts";
import { comparePositions, type Position } from "../model/position.ts";

/** From `first` to `last`, both included. */
export interface Range {
  readonly first: Position;
  readonly last: Position;
}

export class Ranges<T extends Range> {
  #sorted: readonly T[] = [];

  get count(): number {
    return this.#sorted.length;
  }

  /** The ranges that overlap this one, in order. */
  touching(range: Range): readonly T[] {
    return this.#sorted.slice(...this.#bounds(range));
  }

  /** Adds a range, and removes those that it overlaps. */
  add(range: T): void {
    const [from, to] = this.#bounds(range);
    this.#sorted = this.#sorted.toSpliced(from, to - from, range);
  }

  /** Removes the ranges that overlap this one. */
  remove(range: Range): void {
    const [from, to] = this.#bounds(range);
    if (to > from) this.#sorted = this.#sorted.toSpliced(from, to - from);
  }

  /** Removes the ranges that end at or before a position. */
  removeUpTo(position: Position): void {
    const from = firstIndex(this.#sorted.length, (i) => this.#endsAfter(i, position));
    if (from > 0) this.#sorted = this.#sorted.slice(from);
  }

  /** The indexes of the ranges that overlap this one: `from` included, `to` excluded. */
  #bounds({ first, last }: Range): readonly [from: number, to: number] {
    const { length } = this.#sorted;
    const from = firstIndex(length, (i) => !this.#endsBefore(i, first));
    const to = firstIndex(length, (i) => this.#beginsAfter(i, last));
    return [from, Math.max(from, to)];
  }

  #endsBefore(index: number, position: Position): boolean {
    const range = this.#sorted[index];
    return range !== undefined && comparePositions(range.last, position) < 0;
  }

  #endsAfter(index: number, position: Position): boolean {
    const range = this.#sorted[index];
    return range !== undefined && comparePositions(range.last, position) > 0;
  }

  #beginsAfter(index: number, position: Position): boolean {
    const range = this.#sorted[index];
    return range !== undefined && comparePositions(range.first, position) > 0;
  }
}

/** The indexes of the records in a range: the first included, the second excluded. */
export function indexesIn(records: RecordBatch, { first, last }: Range): readonly [number, number] {
  const { count } = records;
  const from = firstIndex(count, (i) => comparePositions(records.position(i), first) >= 0);
  const to = firstIndex(count, (i) => comparePositions(records.position(i), last) > 0);
  return [from, to];
}

/**
 * The lowest index for which `holds` is true; `count` when there is none. `holds` must be true for
 * every index above one for which it is true.
 */
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
