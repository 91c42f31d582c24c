// Restarts the reading of a shard that delivers nothing. The reader reports and retries failures of
// the service itself. This file acts when nothing arrives for whatever reason: it replaces the
// reader; if that does not help, it ends the reading, so that another worker can try.
//
// A healthy shard makes progress. Records arrive, or an empty response reports that the reader is
// at the tip, or, where many records have expired or belong to other hash keys, each empty response
// brings the tip nearer.

import type { Clock } from "../clock.ts";
import type { Emit } from "../events.ts";
import type { Batch } from "../model/batch.ts";
import { anySignal } from "../signals.ts";
import type { ReadShard } from "../stream/reader.ts";

export interface WatchReaderOptions {
  /** Longest time without progress, in milliseconds. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly emit: Emit;
}

/**
 * A reader that is restarted once when it is stuck. If it is stuck again before it has made
 * progress, it ends without `shardEnd`, although its signal is not aborted.
 */
export function watchedReader(read: ReadShard, options: WatchReaderOptions): ReadShard {
  const { timeoutMs, clock, emit } = options;

  return async function* batches(shard, from, signal): AsyncGenerator<Batch> {
    const progress = new Progress(options);
    const latestSinceMs = shard.latestSinceMs ?? clock.now();
    let position = from;
    let [isRestarted, isFirst] = [false, true];
    for (;;) {
      const stop = new AbortController();
      const { signal: over, release } = anySignal(signal, stop.signal);
      const again = isFirst ? shard : { ...shard, latestSinceMs };
      const reader = read(again, position, over)[Symbol.asyncIterator]();
      isFirst = false;
      let isStuck = false;
      try {
        for (;;) {
          const next = await progress.waitFor(reader.next(), signal);
          isStuck = next === "stuck";
          if (next === "stuck") break;
          if (next.done) return;
          if (progress.saw(next.value)) isRestarted = false;
          const { last = position } = next.value.records;
          yield next.value;
          position = last;
          progress.resume();
        }
      } finally {
        stop.abort();
        release();
        const ended = reader.return?.().catch(() => undefined);
        // A stuck reader may never return.
        if (!isStuck) await ended;
      }
      const step = isRestarted ? "releaseLease" : "restartFetcher";
      const { shardId } = shard;
      emit({ type: "shardStuck", shardId, waitingFor: "records", step, quietMs: timeoutMs });
      if (isRestarted) return;
      isRestarted = true;
      progress.begin();
    }
  };
}

/** Measures the time without progress. The time that the caller works on a batch does not count. */
class Progress {
  readonly #options: WatchReaderOptions;
  #quietSinceMs = 0;
  #yieldedAtMs: number | undefined;
  #leastBehindMs = Number.POSITIVE_INFINITY;

  constructor(options: WatchReaderOptions) {
    this.#options = options;
    this.begin();
  }

  begin(): void {
    this.#quietSinceMs = this.#options.clock.monotonicMs();
  }

  /** Call this with each batch before the caller gets it. @returns whether it is progress. */
  saw({ records, millisBehindLatest: behindMs = 0, shardEnd }: Batch): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    const isProgress =
      records.count > 0 ||
      shardEnd !== undefined ||
      behindMs === 0 ||
      behindMs < this.#leastBehindMs;
    this.#yieldedAtMs = nowMs;
    if (!isProgress) return false;
    this.#quietSinceMs = nowMs;
    this.#leastBehindMs = behindMs === 0 ? Number.POSITIVE_INFINITY : behindMs;
    return true;
  }

  /** The caller asks for the next batch. */
  resume(): void {
    const nowMs = this.#options.clock.monotonicMs();
    this.#quietSinceMs += nowMs - (this.#yieldedAtMs ?? nowMs);
  }

  async waitFor<T>(next: Promise<T>, signal: AbortSignal): Promise<T | "stuck"> {
    const { timeoutMs, clock } = this.#options;
    const leftMs = this.#quietSinceMs + timeoutMs - clock.monotonicMs();
    const enough = new AbortController();
    const end = () => enough.abort();
    signal.addEventListener("abort", end, { once: true });
    const timeout = clock
      .sleep(Math.max(0, leftMs), enough.signal)
      .then(async (): Promise<T | "stuck"> => (signal.aborted ? next : "stuck"));
    try {
      return await Promise.race([next, timeout]);
    } finally {
      signal.removeEventListener("abort", end);
      enough.abort();
      next.catch(() => undefined);
    }
  }
}
