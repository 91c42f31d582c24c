// Detects shards that fall behind because of the daemon's own memory limit: one of their batches
// may hold less than what is written between two calls. A warning names the shards, how long this
// has lasted, and what to set.

import type { Clock } from "../../clock.ts";
import type { Emit } from "../../events.ts";
import type { ByteBudget } from "./byteBudget.ts";

/** A shorter time is no reason to warn: the child may have been slow once. */
const WARN_AFTER_MS = 10_000;
const REMIND_MS = 300_000;

export class BudgetWatch {
  readonly #budget: ByteBudget;
  readonly #emit: Emit;
  readonly #clock: Clock;
  readonly #shortSinceMs = new Map<string, number>();
  #warnedMs = Number.NEGATIVE_INFINITY;

  constructor(budget: ByteBudget, emit: Emit, clock: Clock) {
    this.#budget = budget;
    this.#emit = emit;
    this.#clock = clock;
  }

  /**
   * Call it after each response.
   *
   * @param isShort records were left in the shard because it was not allowed to hold more.
   */
  received(shardId: string, isShort: boolean): void {
    if (!isShort) {
      this.forget(shardId);
      return;
    }
    const nowMs = this.#clock.monotonicMs();
    if (!this.#shortSinceMs.has(shardId)) this.#shortSinceMs.set(shardId, nowMs);
    const fallingBehind = [...this.#shortSinceMs].filter(
      ([, sinceMs]) => nowMs - sinceMs >= WARN_AFTER_MS,
    );
    if (fallingBehind.length === 0 || nowMs - this.#warnedMs < REMIND_MS) return;
    this.#warnedMs = nowMs;
    const { limitBytes, enoughBytes } = this.#budget;
    this.#emit({
      type: "readingThrottledByBudget",
      shardIds: fallingBehind.map(([id]) => id).sort(),
      forMs: nowMs - Math.min(...fallingBehind.map(([, sinceMs]) => sinceMs)),
      limitBytes,
      enoughBytes,
    });
  }

  forget(shardId: string): void {
    this.#shortSinceMs.delete(shardId);
  }
}
