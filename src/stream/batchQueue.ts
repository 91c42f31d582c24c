// The queue of one shard's batches, between the loop that fetches them and the consumer.

import type { Batch } from "../model/batch.ts";
import { LARGEST_BATCH_BYTES } from "./budget/allowance.ts";

/**
 * The loop fetches at most this many batches ahead, even small ones, like the Java daemon. When the
 * child is slow, later batches are larger instead.
 */
export const MAX_BATCHES = 4;
/** The limit of records in a merged batch: the limit of a GetRecords response. */
const MOST_RECORDS = 10_000;
/** The factor by which `workMs` decays per batch, when batches take less time than before. */
const FADING = 0.8;

export class BatchQueue {
  readonly #batches: Batch[] = [];
  #ended = false;
  #failure: { readonly error: unknown } | undefined;
  #changed: (() => void)[] = [];
  #workMs = 0;

  /** The time that the consumer needs for a batch: a decaying maximum of the last ones. */
  get workMs(): number {
    return this.#workMs;
  }

  worked(ms: number): void {
    this.#workMs = Math.max(ms, this.#workMs * FADING);
  }

  /**
   * Adds a batch. It replaces the last one if that only has a lag, because its own is newer.
   */
  put(batch: Batch): void {
    const last = this.#batches.at(-1);
    if (last && last.records.count === 0 && !last.misplaced && !last.shardEnd) this.#batches.pop();
    this.#batches.push(batch);
    this.#change();
  }

  /** No more batches follow. `take` throws the failure after the batches in the queue. */
  end(failure?: { readonly error: unknown }): void {
    this.#ended = true;
    this.#failure = failure;
    this.#change();
  }

  /**
   * Waits for the next batch.
   *
   * @param together take all batches in the queue, up to the limits of one GetRecords response.
   * @returns no batches when the queue has ended or the signal is aborted.
   */
  async take(together: boolean, signal: AbortSignal): Promise<readonly Batch[]> {
    while (!signal.aborted) {
      const taken = this.#batches.splice(0, together ? this.#countTogether() : 1);
      if (taken.length > 0) {
        this.#change();
        return taken;
      }
      if (this.#failure) throw this.#failure.error;
      if (this.#ended) return [];
      await this.#nextChange(signal);
    }
    return [];
  }

  /**
   * Resolves when another batch may be fetched, or the signal is aborted.
   *
   * @param isRoom receives the number of batches in the queue.
   */
  async room(isRoom: (waiting: number) => boolean, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !isRoom(this.#batches.length)) await this.#nextChange(signal);
  }

  #countTogether(): number {
    let [count, records, bytes] = [0, 0, 0];
    for (const batch of this.#batches) {
      records += batch.records.count;
      bytes += batch.records.textBytes;
      if (count > 0 && (records > MOST_RECORDS || bytes > LARGEST_BATCH_BYTES)) break;
      count += 1;
    }
    return count;
  }

  #change(): void {
    const changed = this.#changed;
    this.#changed = [];
    for (const resolve of changed) resolve();
  }

  #nextChange(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        signal.removeEventListener("abort", done);
        resolve();
      };
      signal.addEventListener("abort", done, { once: true });
      this.#changed.push(done);
    });
  }
}
