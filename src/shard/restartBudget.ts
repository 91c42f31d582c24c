// How many new children a shard may have before its lease is given to another worker, and how long to wait for each.

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

  /** Takes one restart. @returns how long to wait before it; `undefined` when the window's restarts are used up. */
  spend(nowMs: number, random: () => number): number | undefined {
    const { maxChildRestarts, childRestartWindowMillis } = this.#settings;
    const windowStartMs = nowMs - childRestartWindowMillis;
    this.#restartsAtMs = this.#restartsAtMs.filter((atMs) => atMs > windowStartMs);
    if (this.#restartsAtMs.length >= maxChildRestarts) return undefined;
    this.#restartsAtMs.push(nowMs);
    return backoffMs(this.#restartsAtMs.length - 1, RESTART_BACKOFF, random);
  }
}
