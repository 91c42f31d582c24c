// Reports failed calls of the readers, with the number of failures in a row: of one shard, or of
// all shards together where the failure concerns them all.

import type { Emit } from "../../events.ts";
import { isLasting } from "./readErrors.ts";

export interface Failure {
  readonly operation: string;
  /** Absent: the failure concerns all shards. */
  readonly shardId?: string;
  readonly error: unknown;
  readonly retryInMs: number;
}

export class FailureReports {
  readonly #emit: Emit;
  /** Failures in a row, by shard id; "" = all shards. */
  readonly #streaks = new Map<string, number>();

  constructor(emit: Emit) {
    this.#emit = emit;
  }

  failed({ operation, shardId, error, retryInMs }: Failure): void {
    const key = shardId ?? "";
    const attempt = (this.#streaks.get(key) ?? 0) + 1;
    this.#streaks.set(key, attempt);
    this.#emit({
      type: "serviceTrouble",
      service: "kinesis",
      operation,
      scope: scopeOf(key),
      ...(shardId === undefined ? {} : { shardId }),
      error,
      lasting: isLasting(error),
      attempt,
      retryInMs,
    });
  }

  /** A call succeeded: the streak of this shard, and the streak of all shards, are over. */
  succeeded(operation: string, shardId: string): void {
    if (this.#streaks.size === 0) return;
    this.#end("", operation);
    this.#end(shardId, operation);
  }

  /** The shard is no longer read. */
  forget(shardId: string): void {
    this.#streaks.delete(shardId);
  }

  #end(key: string, operation: string): void {
    const attempts = this.#streaks.get(key);
    if (attempts === undefined) return;
    this.#streaks.delete(key);
    this.#emit({
      type: "serviceRecovered",
      service: "kinesis",
      operation,
      scope: scopeOf(key),
      ...(key === "" ? {} : { shardId: key }),
      attempts,
    });
  }
}

function scopeOf(key: string): string {
  return key === "" ? "reading" : `reading ${key}`;
}
