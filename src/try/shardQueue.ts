// The queue of a trial's shard. Records wait here for their batch, and the source waits while the
// queue is full.

import type { RecordBatch } from "../model/batch.ts";
import { batchOf } from "../model/batch.ts";

/** The number of batches that the queue holds. */
const MAX_WAITING_BATCHES = 4;

export class ShardQueue {
  readonly #batchSize: number;
  readonly #waiting: string[] = [];
  #closed = false;
  #refused = 0;
  #waiters: (() => void)[] = [];

  constructor(batchSize: number) {
    this.#batchSize = batchSize;
  }

  /** The number of records that were never taken. */
  get left(): number {
    return this.#waiting.length + this.#refused;
  }

  /** Waits while the queue is full. After `close`, the record is only counted. */
  async put(record: string): Promise<void> {
    while (!this.#closed && this.#waiting.length >= this.#batchSize * MAX_WAITING_BATCHES) {
      await this.#change();
    }
    if (this.#closed) {
      this.#refused++;
      return;
    }
    this.#waiting.push(record);
    this.#wake();
  }

  /** Call it when no more records follow, or when no more are taken. */
  close(): void {
    this.#closed = true;
    this.#wake();
  }

  /**
   * The next batch: a full one, or the records that have arrived after `lingerMs`, or the rest.
   *
   * @returns `undefined` when there are no more records.
   */
  async take(lingerMs: number, signal: AbortSignal): Promise<RecordBatch | undefined> {
    const wake = () => this.#wake();
    signal.addEventListener("abort", wake);
    let timer: NodeJS.Timeout | undefined;
    let lingered = false;
    try {
      while (!signal.aborted && !this.#closed && this.#waiting.length < this.#batchSize) {
        if (lingered && this.#waiting.length > 0) break;
        if (this.#waiting.length > 0) {
          timer ??= setTimeout(() => {
            lingered = true;
            wake();
          }, lingerMs);
        }
        await this.#change();
      }
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
    }
    if (signal.aborted || this.#waiting.length === 0) return undefined;
    const batch = batchOf(this.#waiting.splice(0, this.#batchSize));
    this.#wake();
    return batch;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve();
  }
}
