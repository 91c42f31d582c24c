// The records of one lane: those that wait for its child, and those that the child has received and
// not checkpointed. The latter stay in memory, so that a new child gets them without another read
// of the shard, which would disturb the other lanes.

import { type Batch, RecordBatch } from "../../model/batch.ts";
import { comparePositions, type Position } from "../../model/position.ts";
import type { ChildShard } from "../../model/shard.ts";

/** The limits of what a child receives at once: those of one GetRecords response, about. */
const MOST_RECORDS = 10_000;
const MOST_BYTES = 6 * 1024 * 1024;

interface Piece {
  readonly records: RecordBatch;
  readonly last: Position;
}

export class LaneRecords {
  readonly #taken: () => void;
  readonly #pieces: Piece[] = [];
  /** The index of the first piece that the current child has not received. */
  #next = 0;
  #waitingBytes = 0;
  #behindMs: number | undefined;
  /** The stream is at its tip, and the child should learn it. */
  #isEmptyDue = false;
  #shardEnd: { readonly children: readonly ChildShard[] } | undefined;
  #changed: () => void = () => {};

  /** @param taken called when a child takes records, so that there is room for more. */
  constructor(taken: () => void) {
    this.#taken = taken;
  }

  /** The size of the records that no child has received. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  put(records: RecordBatch, last: Position, behindMs: number | undefined): void {
    this.#pieces.push({ records, last });
    this.#waitingBytes += records.textBytes;
    this.#behindMs = behindMs;
    this.#changed();
  }

  /** The next batch has no records, unless others come first. */
  putEmpty(behindMs: number | undefined): void {
    this.#behindMs = behindMs;
    this.#isEmptyDue = true;
    this.#changed();
  }

  /** The shard ends after these records. */
  end(shardEnd: { readonly children: readonly ChildShard[] }): void {
    this.#shardEnd = shardEnd;
    this.#changed();
  }

  /** Forgets the records up to a checkpoint. */
  checkpointed(position: Position): void {
    const isDone = ({ last }: Piece) => comparePositions(last, position) <= 0;
    const kept = this.#pieces.findIndex((piece) => !isDone(piece));
    const count = kept < 0 ? this.#pieces.length : kept;
    for (const piece of this.#pieces.splice(0, count).slice(this.#next)) this.#take(piece);
    this.#next = Math.max(0, this.#next - count);
  }

  /** What a new child receives that starts after `from`: as a reader yields it. */
  async *after(from: Position, signal: AbortSignal): AsyncGenerator<Batch> {
    this.checkpointed(from);
    this.#next = 0;
    this.#waitingBytes = this.#pieces.reduce((sum, { records }) => sum + records.textBytes, 0);
    for (let isFirst = true; ; isFirst = false) {
      const records = await this.#nextRecords(signal);
      if (signal.aborted) return;
      const shardEnd = records.count === 0 ? this.#shardEnd : undefined;
      yield {
        // The lane may have checkpointed in the middle of a piece.
        records: isFirst ? records.after(from) : records,
        millisBehindLatest: this.#behindMs,
        ...(shardEnd && { shardEnd }),
      };
      if (shardEnd) return;
    }
  }

  async #nextRecords(signal: AbortSignal): Promise<RecordBatch> {
    while (!signal.aborted) {
      const taken = this.#takeTogether();
      if (taken.length > 0) return RecordBatch.concat(taken);
      if (this.#shardEnd || this.#isEmptyDue) break;
      await this.#change(signal);
    }
    this.#isEmptyDue = false;
    return RecordBatch.empty;
  }

  #takeTogether(): readonly RecordBatch[] {
    const taken: RecordBatch[] = [];
    let [count, bytes] = [0, 0];
    for (const piece of this.#pieces.slice(this.#next)) {
      count += piece.records.count;
      bytes += piece.records.textBytes;
      if (taken.length > 0 && (count > MOST_RECORDS || bytes > MOST_BYTES)) break;
      taken.push(piece.records);
      this.#take(piece);
    }
    this.#next += taken.length;
    if (taken.length > 0) this.#isEmptyDue = false;
    return taken;
  }

  #take({ records }: Piece): void {
    this.#waitingBytes -= records.textBytes;
    this.#taken();
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#changed = () => {
        signal.removeEventListener("abort", this.#changed);
        resolve();
      };
      signal.addEventListener("abort", this.#changed, { once: true });
    });
  }
}
