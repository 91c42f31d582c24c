// The batches of one shard between the loop that fetches them and the caller that works on them.

import { type Batch, RecordBatch } from "../model/batch.ts";
import { LARGEST_BATCH_BYTES } from "./budget/allowance.ts";

/** More are not fetched ahead, however small they are: a slow child gets larger ones later. As in the Java daemon. */
export const MAX_BATCHES = 4;
/** In what is taken together; the most that a GetRecords answer may hold. */
const MOST_RECORDS = 10_000;
/** What the caller took for a batch is forgotten so slowly, where the next take less. */
const FADING = 0.8;

export class BatchQueue {
  readonly #batches: Batch[] = [];
  #ended = false;
  #failure: { readonly error: unknown } | undefined;
  #changed: (() => void)[] = [];
  #workMs = 0;

  /** What the caller takes for a batch, by the last ones. */
  get workMs(): number {
    return this.#workMs;
  }

  worked(ms: number): void {
    this.#workMs = Math.max(ms, this.#workMs * FADING);
  }

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

  /** The next batch, or with `together` all that are there, up to what one answer of the service may hold; none when there will be none. */
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

  /** Resolves when another may be fetched while so many wait, or the signal is aborted. */
  async room(isRoom: (waiting: number) => boolean, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !isRoom(this.#batches.length)) await this.#nextChange(signal);
  }

  #countTogether(): number {
    let [count, records, bytes] = [0, 0, 0];
    for (const batch of this.#batches) {
      records += batch.records.count;
      bytes += batch.records.json.length;
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

/** One batch of them all. What they held may be forgotten when it is there. */
export function putTogether(batches: readonly Batch[]): Batch | undefined {
  const last = batches.at(-1);
  if (!last || batches.length === 1) return last;
  const records = RecordBatch.concat(batches.map((batch) => batch.records));
  for (const batch of batches) batch.records.free();
  return { ...last, records };
}
