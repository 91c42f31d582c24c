// Notices shards that fall behind because of our own limit: their batches may hold less than what is written to them
// between two calls. The person is told which they are, since when, and what to set.

import type { Clock } from "../../clock.ts";
import type { Emit } from "../../events.ts";
import type { ByteBudget } from "./byteBudget.ts";

/** A shard that is short for less is none that falls behind: its child may have been slow once. */
const PATIENCE_MS = 10_000;
const REMIND_MS = 300_000;

export class BudgetWatch {
  readonly #budget: ByteBudget;
  readonly #emit: Emit;
  readonly #clock: Clock;
  readonly #shortSinceMs = new Map<string, number>();
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(budget: ByteBudget, emit: Emit, clock: Clock) {
    this.#budget = budget;
    this.#emit = emit;
    this.#clock = clock;
  }

  /** To be called after each answer. @param isShort it left records behind that the shard was not allowed to hold. */
  saw(shardId: string, isShort: boolean): void {
    if (!isShort) {
      this.forget(shardId);
      return;
    }
    const nowMs = this.#clock.monotonicMs();
    if (!this.#shortSinceMs.has(shardId)) this.#shortSinceMs.set(shardId, nowMs);
    const fallingBehind = [...this.#shortSinceMs].filter(
      ([, sinceMs]) => nowMs - sinceMs >= PATIENCE_MS,
    );
    if (fallingBehind.length === 0 || nowMs - this.#toldMs < REMIND_MS) return;
    this.#toldMs = nowMs;
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
