// Decides which failed calls are reported. When Kinesis is unreachable, every attempt for every
// shard fails. The operator needs one warning, a reminder each minute, and a message when calls
// succeed again. If a transient failure turns into one that needs the operator, it is reported
// immediately.

import type { Clock } from "../../clock.ts";
import type { Emit } from "../../events.ts";
import { isLasting } from "./readErrors.ts";

const REMIND_MS = 60_000;

/** Failures in a row, of one shard or of all shards. */
interface Streak {
  attempts: number;
  reportedAtMs: number;
  /** The last report was about a failure that only an operator can correct. */
  lasting: boolean;
  /** A failure of this streak was reported, so its end is reported, too. */
  reported: boolean;
}

export interface Failure {
  readonly operation: string;
  /** Absent: the failure concerns all shards, and is reported once for all. */
  readonly shardId?: string;
  readonly error: unknown;
  readonly retryInMs: number;
}

export class FailureReports {
  readonly #emit: Emit;
  readonly #clock: Clock;
  /** By shard id; "" = all shards. */
  readonly #streaks = new Map<string, Streak>();

  constructor(emit: Emit, clock: Clock) {
    this.#emit = emit;
    this.#clock = clock;
  }

  failed({ operation, shardId, error, retryInMs }: Failure): void {
    const nowMs = this.#clock.monotonicMs();
    const streak = this.#streaks.get(shardId ?? "") ?? {
      attempts: 0,
      reportedAtMs: Number.NEGATIVE_INFINITY,
      lasting: false,
      reported: false,
    };
    this.#streaks.set(shardId ?? "", streak);
    streak.attempts += 1;
    // The time of the last report outlives a streak: intermittent failures are not reported each
    // time.
    const lasting = isLasting(error);
    const isWorse = lasting && !streak.lasting;
    if (nowMs - streak.reportedAtMs < REMIND_MS && !isWorse) return;
    streak.reportedAtMs = nowMs;
    streak.lasting = lasting;
    streak.reported = true;
    this.#emit({
      type: "serviceTrouble",
      service: "kinesis",
      operation,
      ...(shardId === undefined ? {} : { shardId }),
      error,
      attempt: streak.attempts,
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
    const streak = this.#streaks.get(key);
    if (!streak || streak.attempts === 0) return;
    const { attempts, reported } = streak;
    streak.attempts = 0;
    streak.reported = false;
    if (!reported) return;
    this.#emit({
      type: "serviceRecovered",
      service: "kinesis",
      operation,
      ...(key === "" ? {} : { shardId: key }),
      attempts,
    });
  }
}
