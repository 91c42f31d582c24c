// The batches of one shard between the loop that fetches them and the caller that works on them.

import type { Batch } from "../model/batch.ts";

/** More are not fetched ahead, however small they are: a slow child gets larger ones later. As in the Java daemon. */
const MAX_BATCHES = 4;

export class BatchQueue {
  readonly #batches: Batch[] = [];
  #ended = false;
  #failure: { readonly error: unknown } | undefined;
  #changed: (() => void)[] = [];

  /** Adds a batch. One without records only brings news: it takes the place of another such. */
  put(batch: Batch): void {
    const last = this.#batches.at(-1);
    if (last && last.records.count === 0 && !last.shardEnd) this.#batches.pop();
    this.#batches.push(batch);
    this.#change();
  }

  /** No more batches will come; `failure` is thrown to the caller after those that are there. */
  end(failure?: { readonly error: unknown }): void {
    this.#ended = true;
    this.#failure = failure;
    this.#change();
  }

  /** The next batch, or `undefined` when there will be none. */
  async take(signal: AbortSignal): Promise<Batch | undefined> {
    while (!signal.aborted) {
      const batch = this.#batches.shift();
      if (batch) {
        this.#change();
        return batch;
      }
      if (this.#failure) throw this.#failure.error;
      if (this.#ended) return undefined;
      await this.#nextChange(signal);
    }
    return undefined;
  }

  /** Resolves when another batch may be fetched, or the signal is aborted. */
  async room(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.#batches.length >= MAX_BATCHES) await this.#nextChange(signal);
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
