// The low-water mark of a shard whose records are dealt to several lanes: the last position before
// which every record was processed and checkpointed by its lane. Only this position may be stored,
// because the next worker starts behind it. Pure.
//
// A lane without outstanding records does not hold the mark back. Within a batch, a lane with
// outstanding records holds it at its own checkpoint, or at the record before its first one.

import { comparePositions, type Position, SHARD_END } from "../../model/position.ts";

/** The records of one batch that one lane has received. */
export interface DealtPart {
  readonly lane: number;
  /** The record directly before the lane's first one; absent: the end of the batch before. */
  readonly before?: Position | undefined;
  readonly last: Position;
}

/** A batch of the shard, dealt to lanes. Batches come in the order of the shard. */
export interface DealtBatch {
  /** The end of the batch: its last record, or a later one that no lane receives. */
  readonly end: Position;
  readonly bytes: number;
  readonly parts: readonly DealtPart[];
}

export class LowWater {
  /** The checkpoint of each lane. */
  readonly #lanes: Position[];
  /** The batches with outstanding records, and those after them. */
  readonly #ahead: DealtBatch[] = [];
  #mark: Position;
  #batchesDone = 0;
  #aheadBytes = 0;

  /** @param start where the lanes start: everything up to it counts as processed. */
  constructor(start: Position, lanes: number) {
    this.#mark = start;
    this.#lanes = Array.from({ length: lanes }, () => start);
  }

  get mark(): Position {
    return this.#mark;
  }

  /** How many batches have nothing outstanding, nor anything before them. */
  get batchesDone(): number {
    return this.#batchesDone;
  }

  /** The size of the batches that are not wholly before the mark: what a restart may repeat. */
  get aheadBytes(): number {
    return this.#aheadBytes;
  }

  /** Where a new child of the lane starts: none of its records before this is outstanding. */
  startOf(lane: number): Position {
    return later(this.#markOf(lane), this.#mark);
  }

  /** The lanes whose outstanding records hold the mark back. */
  get holders(): readonly number[] {
    return this.#outstanding(this.#ahead[0]).map(({ lane }) => lane);
  }

  dealt(batch: DealtBatch): void {
    this.#ahead.push(batch);
    this.#aheadBytes += batch.bytes;
    this.#advance();
  }

  checkpointed(lane: number, position: Position): void {
    this.#lanes[lane] = later(this.#markOf(lane), position);
    this.#advance();
  }

  #advance(): void {
    for (let batch = this.#ahead[0]; batch; batch = this.#ahead[0]) {
      const limits = this.#outstanding(batch).map(({ lane, before = this.#mark }) =>
        later(this.#markOf(lane), before),
      );
      const [first = batch.end, ...others] = limits;
      this.#mark = later(this.#mark, others.reduce(earlier, first));
      if (limits.length > 0) return;
      this.#batchesDone += 1;
      this.#ahead.shift();
      this.#aheadBytes -= batch.bytes;
    }
    if (this.#lanes.every(({ sequenceNumber }) => sequenceNumber === "SHARD_END")) {
      this.#mark = SHARD_END;
    }
  }

  #outstanding(batch: DealtBatch | undefined): readonly DealtPart[] {
    const parts = batch?.parts ?? [];
    return parts.filter(({ lane, last }) => comparePositions(this.#markOf(lane), last) < 0);
  }

  #markOf(lane: number): Position {
    const mark = this.#lanes[lane];
    if (!mark) throw new RangeError(`no lane ${lane}`);
    return mark;
  }
}

function later(a: Position, b: Position): Position {
  return comparePositions(a, b) >= 0 ? a : b;
}

function earlier(a: Position, b: Position): Position {
  return comparePositions(a, b) <= 0 ? a : b;
}
