// Limits how often a failing service is reported. Failures are counted for each operation over all
// leases and reported at the 1st, 2nd, 4th, 8th … in a row. The recovery is reported when the last
// caller that failed has succeeded.

import type { Emit } from "../events.ts";

export interface ServiceCall {
  readonly service: "dynamodb" | "kinesis";
  readonly operation: string;
  /** The shard that the call is for; absent when it is for no single shard. */
  readonly shardId?: string;
}

interface Streak {
  failures: number;
  /** The shards ("" = none) whose calls failed and have not succeeded since. */
  readonly failing: Set<string>;
}

export class ServiceFailures {
  readonly #emit: Emit;
  readonly #streaks = new Map<string, Streak>();

  constructor(emit: Emit) {
    this.#emit = emit;
  }

  failed({ service, operation, shardId }: ServiceCall, error: unknown, retryInMs: number): void {
    const streak = this.#streaks.get(operation) ?? { failures: 0, failing: new Set() };
    this.#streaks.set(operation, streak);
    streak.failures++;
    streak.failing.add(shardId ?? "");
    if (!isPowerOfTwo(streak.failures)) return;
    this.#emit({
      type: "serviceTrouble",
      service,
      operation,
      ...(shardId !== undefined && { shardId }),
      error,
      attempt: streak.failures,
      retryInMs,
    });
  }

  recovered(call: ServiceCall): void {
    const streak = this.#end(call);
    if (!streak) return;
    const { service, operation } = call;
    this.#emit({ type: "serviceRecovered", service, operation, attempts: streak.failures });
  }

  /** The caller stops trying. That is not reported as a recovery. */
  gaveUp(call: ServiceCall): void {
    this.#end(call);
  }

  /** @returns the streak, if no other caller is still failing. */
  #end({ operation, shardId }: ServiceCall): Streak | undefined {
    const streak = this.#streaks.get(operation);
    if (!streak?.failing.delete(shardId ?? "") || streak.failing.size > 0) return undefined;
    this.#streaks.delete(operation);
    return streak;
  }
}

function isPowerOfTwo(n: number): boolean {
  return (n & (n - 1)) === 0;
}
