// Shards wait here until their next call is due. Waking up costs the daemon about as much CPU time
// as the call that follows, because caches are cold. Shards with slack therefore wait for each
// other, and a group of them makes its calls at once.

import type { Clock } from "../../clock.ts";

/** A call may be made from `dueMs` on, and may be delayed by `slackMs` to join a group. */
export interface Due {
  readonly dueMs: number;
  readonly slackMs: number;
}

/**
 * The size of a group. Larger groups cost hardly less CPU time per call, and a busy shard would
 * wait longer behind them.
 */
export const MOST_TOGETHER = 8;

/**
 * The next group and its time: as late as the member with the least slack allows, but not after the
 * last member is due.
 *
 * @param waiting in the order of `dueMs`.
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
  /** In the order of `dueMs`. */
  readonly #waiting: Waiter[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves when the shard's group is woken, or the signal is aborted. */
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

  /** Not `Clock.sleep`, which would create an error each time that the timer is replaced. */
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
