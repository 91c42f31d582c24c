// Says once, not a thousand times, that a service does not answer: failures are counted per operation over all leases,
// and told at the 1st, 2nd, 4th, 8th … in a row. The end of the trouble is told when the last one got through.

import type { Emit } from "../events.ts";

export interface Work {
  readonly service: "dynamodb" | "kinesis";
  readonly operation: string;
  /** The shard id that it is for; "" = none. */
  readonly who: string;
}

interface Streak {
  failures: number;
  /** Who has failed and not yet succeeded. */
  readonly waiting: Set<string>;
}

export class Trouble {
  readonly #emit: Emit;
  readonly #streaks = new Map<string, Streak>();

  constructor(emit: Emit) {
    this.#emit = emit;
  }

  failed({ service, operation, who }: Work, error: unknown, retryInMs: number): void {
    const streak = this.#streaks.get(operation) ?? { failures: 0, waiting: new Set() };
    this.#streaks.set(operation, streak);
    streak.failures++;
    streak.waiting.add(who);
    if (!isPowerOfTwo(streak.failures)) return;
    this.#emit({
      type: "serviceTrouble",
      service,
      operation,
      ...(who !== "" && { shardId: who }),
      error,
      attempt: streak.failures,
      retryInMs,
    });
  }

  recovered(work: Work): void {
    const streak = this.#end(work);
    if (!streak) return;
    const { service, operation } = work;
    this.#emit({ type: "serviceRecovered", service, operation, attempts: streak.failures });
  }

  /** The caller does not try any longer; that is no recovery. */
  gaveUp(work: Work): void {
    this.#end(work);
  }

  /** The streak, if this was the last that waited. */
  #end({ operation, who }: Work): Streak | undefined {
    const streak = this.#streaks.get(operation);
    if (!streak?.waiting.delete(who) || streak.waiting.size > 0) return undefined;
    this.#streaks.delete(operation);
    return streak;
  }
}

function isPowerOfTwo(n: number): boolean {
  return (n & (n - 1)) === 0;
}
