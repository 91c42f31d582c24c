// Where shards wait until they are asked again. Waking up costs the daemon about as much as the call that follows: caches
// and code are cold. So shards that have time wait for each other, and a few are asked at once.

import type { Clock } from "../../clock.ts";

/** From when on a shard may be asked, and how much later it may be for company. */
export interface Due {
  readonly dueMs: number;
  readonly slackMs: number;
}

/** As many calls at once are hardly dearer, each, than a hundred; and a busy shard does not wait long behind them. */
export const MOST_TOGETHER = 8;

/**
 * When to wake, and how many: as late as the least patient of them allows, but not later than the last of them is due.
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

  /** Resolves when it is time, or at once when the signal is aborted. */
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

  /** A plain timer: `Clock.sleep` makes an error each time that it is cut short. */
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
