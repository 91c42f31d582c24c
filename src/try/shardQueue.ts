// One shard of a trial: records wait here for their batch, and the source waits when too many do.

import type { RecordBatch } from "../model/batch.ts";
import { batchOf } from "../model/batch.ts";

/** Batches that may wait before the source has to. */
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

  /** Records that were never taken. */
  get left(): number {
    return this.#waiting.length + this.#refused;
  }

  /** Waits while the queue is full. When nobody takes any more, the record is only counted. */
  async put(record: string): Promise<void> {
    while (!this.#closed && this.#waiting.length >= this.#batchSize * MAX_WAITING_BATCHES) {
      await this.#change();
    }
    if (this.#closed) {
      this.#refused++;
      return;
    }
    this.#waiting.push(record);
    this.#tell();
  }

  /** No more records come, or no more are wanted. */
  close(): void {
    this.#closed = true;
    this.#tell();
  }

  /** The next batch: full, or what is there after `lingerMs`, or the rest. `undefined` when there is none. */
  async take(lingerMs: number, signal: AbortSignal): Promise<RecordBatch | undefined> {
    const wake = () => this.#tell();
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
    this.#tell();
    return batch;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  #tell(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve();
  }
}
