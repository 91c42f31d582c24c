// Shards wait here until they are asked again. Waking up costs the daemon about as much as the call
// that follows, because caches and code are cold. So shards that are not in a hurry wait for each
// other, and a group of them is asked at once.

import type { Clock } from "../../clock.ts";

/** The earliest time of the next call, and how much later it may start. */
export interface Due {
  readonly dueMs: number;
  readonly slackMs: number;
}

/** Larger groups would save little more CPU, and would delay a busy shard. */
export const MOST_TOGETHER = 8;

/**
 * The next group and its time: the group grows as long as no member exceeds its slack, and it wakes
 * as soon as its last member is due.
 *
 * @param waiting in the order in which they are due.
 */
export function nextGroup(
  waiting: readonly Due[],
): { readonly count: number; readonly wakeMs: number } | undefined {
  let latestMs = Number.POSITIVE_INFINITY;
  let wakeMs: number | undefined;
  let count = 0;
  for (const { dueMs, slackMs } of waiting) {
    if (count === MOST_TOGETHER || dueMs > latestMs) break;
    latestMs = Math.min(latestMs, dueMs + slackMs);
    wakeMs = dueMs;
    count += 1;
  }
  return wakeMs === undefined ? undefined : { count, wakeMs };
}

interface Waiter extends Due {
  readonly wake: () => void;
}

export class WaitingRoom {
  readonly #clock: Clock;
  /** In the order in which they are due. */
  readonly #waiting: Waiter[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves when the shard is due, or at once when the signal is aborted. */
  wait({ dueMs, slackMs }: Due, signal: AbortSignal): Promise<void> {
    if (signal.aborted || dueMs <= this.#clock.monotonicMs()) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const waiter: Waiter = { dueMs, slackMs, wake };
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        this.#setTimer();
        resolve();
      };
      signal.addEventListener("abort", leave, { once: true });
      const before = this.#waiting.findLastIndex((other) => other.dueMs <= dueMs);
      this.#waiting.splice(before + 1, 0, waiter);
      this.#setTimer();
    });
  }

  #setTimer(): void {
    clearTimeout(this.#timer);
    const group = nextGroup(this.#waiting);
    if (!group) return;
    const leftMs = Math.ceil(group.wakeMs - this.#clock.monotonicMs());
    this.#timer = setTimeout(() => this.#wakeGroup(), Math.max(0, leftMs));
  }

  #wakeGroup(): void {
    const group = nextGroup(this.#waiting);
    const isTime = group && group.wakeMs <= this.#clock.monotonicMs();
    for (const { wake } of isTime ? this.#waiting.splice(0, group.count) : []) wake();
    this.#setTimer();
  }
}
