// Keeps the shard map of a stream current: it is loaded at the start, again whenever somebody has
// reason to doubt it, and every few minutes. A failure is retried without limit; meanwhile the last
// map stays in use, because a record on an unexpected shard is noticed anyway.

import type { Clock } from "../clock.ts";
import { type Backoff, type FailedAttempt, retry } from "../retry.ts";
import { WakeUp } from "../wakeUp.ts";
import { ShardMap } from "./shardMap.ts";
import type { StreamCalls } from "./streamCalls.ts";

/** ListShards allows 1,000 calls per second and stream. */
const REFRESH_MS = 300_000;
/** Doubts in this time cause one refresh. */
const MIN_REFRESH_MS = 1_000;
const BACKOFF: Backoff = { baseMs: 1_000, capMs: 30_000 };

export interface MapKeeperParts {
  readonly calls: Pick<StreamCalls, "openShards" | "maxRecordBytes">;
  readonly clock: Clock;
  readonly onLoaded: (map: ShardMap, askedMs: number) => void;
  readonly onMaxRecordBytes: (bytes: number) => void;
  readonly onFailure: (failure: FailedAttempt) => void;
}

export class MapKeeper {
  readonly #parts: MapKeeperParts;
  readonly #doubt = new WakeUp();
  #map: ShardMap | undefined;

  constructor(parts: MapKeeperParts) {
    this.#parts = parts;
  }

  get map(): ShardMap | undefined {
    return this.#map;
  }

  /** The map may be wrong: load it soon. */
  refresh(): void {
    this.#doubt.trigger();
  }

  /** Returns when the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, onFailure } = this.#parts;
    while (!signal.aborted) {
      this.#doubt.clear();
      await retry(() => this.#load(), { clock, backoff: BACKOFF, onFailure }, signal);
      await clock.sleep(MIN_REFRESH_MS, signal);
      await this.#doubt.sleep(clock, REFRESH_MS, signal);
    }
  }

  async #load(): Promise<void> {
    const { calls, clock, onLoaded, onMaxRecordBytes } = this.#parts;
    const askedMs = clock.monotonicMs();
    const open = await calls.openShards();
    if (open.length === 0) throw new Error("ListShards returned no open shard");
    this.#map = new ShardMap(open, this.#map);
    onLoaded(this.#map, askedMs);
    // The permission for this call is not in the KPL's policies. Without it, the service refuses a
    // record that is too large.
    await calls.maxRecordBytes().then(onMaxRecordBytes, () => {});
  }
}
