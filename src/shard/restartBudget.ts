// How often a shard's child is replaced before the worker releases the lease, and how long it waits
// before each new child.

import { backoffMs } from "../retry.ts";

export const RESTART_BACKOFF = { baseMs: 1_000, capMs: 30_000 };

export interface BudgetSettings {
  readonly maxChildRestarts: number;
  readonly childRestartWindowMillis: number;
}

export class RestartBudget {
  readonly #settings: BudgetSettings;
  #restartsAtMs: number[] = [];

  constructor(settings: BudgetSettings) {
    this.#settings = settings;
  }

  /**
   * Uses up one restart.
   *
   * @returns the wait before it, in milliseconds; `undefined` when the window has no restart left.
   */
  spend(nowMs: number, random: () => number): number | undefined {
    const { maxChildRestarts, childRestartWindowMillis } = this.#settings;
    const windowStartMs = nowMs - childRestartWindowMillis;
    this.#restartsAtMs = this.#restartsAtMs.filter((atMs) => atMs > windowStartMs);
    if (this.#restartsAtMs.length >= maxChildRestarts) return undefined;
    this.#restartsAtMs.push(nowMs);
    return backoffMs(this.#restartsAtMs.length - 1, RESTART_BACKOFF, random);
  }
}
