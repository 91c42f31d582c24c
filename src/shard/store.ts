// How a position gets into the lease table: with patience when the table asks for it, and, where the person chose so,
// not more often than an interval. In between, the last position waits here.

import type { Clock } from "../clock.ts";
import { CheckpointError } from "../model/errors.ts";
import { type Position, SHARD_END } from "../model/position.ts";
import { backoffMs } from "../retry.ts";
import type { StorePosition } from "./checkpointer.ts";

const BACKOFF = { baseMs: 200, capMs: 2_000 };
/** A throttled table is asked again for so long before the child hears of it. */
const PATIENCE_MS = 10_000;

/** Tries again while the table is throttled or does not answer, until patience or the lease is lost. */
export function patiently(store: StorePosition, clock: Clock, lost: AbortSignal): StorePosition {
  return async (position) => {
    const untilMs = clock.monotonicMs() + PATIENCE_MS;
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await store(position);
      } catch (error) {
        if (!mayPass(error) || lost.aborted || clock.monotonicMs() >= untilMs) throw error;
        await clock.sleep(backoffMs(attempt, BACKOFF), lost);
      }
    }
  };
}

function mayPass(error: unknown): boolean {
  return (
    error instanceof CheckpointError &&
    (error.name === "ThrottlingException" || error.name === "KinesisClientLibDependencyException")
  );
}

/** Stores at most once an interval; says "stored" at once, and keeps the promise with `flush` at the latest. */
export class CoalescedStore {
  readonly #store: StorePosition;
  readonly #intervalMs: number;
  readonly #clock: Clock;
  #waiting: Position | undefined;
  #writtenAtMs = Number.NEGATIVE_INFINITY;
  #lost = false;

  constructor(store: StorePosition, intervalMs: number, clock: Clock) {
    this.#store = store;
    this.#intervalMs = intervalMs;
    this.#clock = clock;
  }

  async store(position: Position): Promise<"stored" | "lost"> {
    if (this.#lost) return "lost";
    this.#waiting = position;
    const isDue = this.#clock.monotonicMs() - this.#writtenAtMs >= this.#intervalMs;
    if (isDue || position === SHARD_END) return this.flush();
    return "stored";
  }

  /** Writes what waits. To be called at every goodbye, and when a child died. */
  async flush(): Promise<"stored" | "lost"> {
    const position = this.#waiting;
    if (!position) return "stored";
    const result = await this.#store(position);
    this.#writtenAtMs = this.#clock.monotonicMs();
    this.#lost = result === "lost";
    if (this.#waiting === position) this.#waiting = undefined;
    return result;
  }
}
