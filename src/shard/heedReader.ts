// Watches over the reading of a shard. Trouble with the service is the reader's business, which it tells and tries
// again; here something is done when, for whatever reason, nothing at all comes of it: the reader is replaced, and when
// that does not help the reading ends, so that a worker elsewhere can try.
//
// A shard that is read moves: records come, or the news that there are none at its tip, or, where many have expired
// or belong to other hash keys, answers without records bring the tip nearer.

import { anySignal } from "../signals.ts";
import type { Clock } from "../clock.ts";
import type { Emit } from "../events.ts";
import type { Batch } from "../model/batch.ts";
import type { ReadShard } from "../stream/reader.ts";

export interface HeedReaderOptions {
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly emit: Emit;
}

/** A reader that ends before its signal is aborted, and without `shardEnd`, when it is stuck beyond help. */
export function heedfulReader(read: ReadShard, options: HeedReaderOptions): ReadShard {
  const { timeoutMs, clock, emit } = options;

  return async function* batches(shard, from, signal): AsyncGenerator<Batch> {
    const movement = new Movement(options);
    const latestSinceMs = shard.latestSinceMs ?? clock.now();
    let position = from;
    let [restarted, first] = [false, true];
    for (;;) {
      const stop = new AbortController();
      const { signal: over, release } = anySignal(signal, stop.signal);
      const again = first ? shard : { ...shard, latestSinceMs };
      const reader = read(again, position, over)[Symbol.asyncIterator]();
      first = false;
      let stuck = false;
      try {
        for (;;) {
          const next = await movement.waitFor(reader.next(), signal);
          stuck = next === "stuck";
          if (next === "stuck") break;
          if (next.done) return;
          if (movement.saw(next.value)) restarted = false;
          const { last = position } = next.value.records;
          yield next.value;
          position = last;
          movement.resume();
        }
      } finally {
        stop.abort();
        release();
        const ended = reader.return?.().catch(() => undefined);
        // One that is stuck may not come back.
        if (!stuck) await ended;
      }
      const step = restarted ? "releaseLease" : "restartFetcher";
      const { shardId } = shard;
      emit({ type: "shardStuck", shardId, waitingFor: "records", step, quietMs: timeoutMs });
      if (restarted) return;
      restarted = true;
      movement.begin();
    }
  };
}

/** How long there has been none, without the time in which the caller was at work. */
class Movement {
  readonly #options: HeedReaderOptions;
  #quietSinceMs = 0;
  #leftAtMs: number | undefined;
  #nearestMs = Number.POSITIVE_INFINITY;

  constructor(options: HeedReaderOptions) {
    this.#options = options;
    this.begin();
  }

  begin(): void {
    this.#quietSinceMs = this.#options.clock.monotonicMs();
  }

  /** Takes note of a batch that is handed to the caller. @returns whether it means that the shard moves. */
  saw({ records, millisBehindLatest: behindMs = 0, shardEnd }: Batch): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    const moves =
      records.count > 0 || shardEnd !== undefined || behindMs === 0 || behindMs < this.#nearestMs;
    this.#leftAtMs = nowMs;
    if (!moves) return false;
    this.#quietSinceMs = nowMs;
    this.#nearestMs = behindMs === 0 ? Number.POSITIVE_INFINITY : behindMs;
    return true;
  }

  /** The caller is back. */
  resume(): void {
    const nowMs = this.#options.clock.monotonicMs();
    this.#quietSinceMs += nowMs - (this.#leftAtMs ?? nowMs);
  }

  async waitFor<T>(next: Promise<T>, signal: AbortSignal): Promise<T | "stuck"> {
    const { timeoutMs, clock } = this.#options;
    const leftMs = this.#quietSinceMs + timeoutMs - clock.monotonicMs();
    const enough = new AbortController();
    const end = () => enough.abort();
    signal.addEventListener("abort", end, { once: true });
    const tooLong = clock
      .sleep(Math.max(0, leftMs), enough.signal)
      .then(async (): Promise<T | "stuck"> => (signal.aborted ? next : "stuck"));
    try {
      return await Promise.race([next, tooLong]);
    } finally {
      signal.removeEventListener("abort", end);
      enough.abort();
      next.catch(() => undefined);
    }
  }
}
