// Reports failures of a service. They are counted for each operation over all leases. The recovery
// is reported when the last caller that failed has succeeded.

import type { Emit } from "../events.ts";
import { LeaseTableError } from "./table.ts";

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
    this.#emit({
      type: "serviceTrouble",
      service,
      operation,
      scope: operation,
      ...(shardId !== undefined && { shardId }),
      error,
      lasting: error instanceof LeaseTableError && error.reason === "denied",
      attempt: streak.failures,
      retryInMs,
    });
  }

  recovered(call: ServiceCall): void {
    const streak = this.#end(call);
    if (!streak) return;
    const { service, operation } = call;
    const attempts = streak.failures;
    this.#emit({ type: "serviceRecovered", service, operation, scope: operation, attempts });
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
