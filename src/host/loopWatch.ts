// Detects when the daemon's event loop is blocked: too little CPU, a suspended machine, long
// synchronous work. It measures how late the daemon's own sleeps end (lease renewals and scans of
// the lease table are the most regular), so it needs no timer. `monitorEventLoopDelay` would wake
// an idle daemon hundreds of times a second.

import { createHistogram } from "node:perf_hooks";
import type { Clock } from "../clock.ts";
import type { Emit } from "../events.ts";

export interface LoopWatchOptions {
  /** A sleep that ends this late is reported at once. */
  readonly dangerMs: number;
  readonly emit: Emit;
  /** Called with how late each sleep ended. */
  readonly late?: (ms: number) => void;
}

/** At most one report in this time. */
const PERIOD_MS = 60_000;
/** At this delay a record waits for the event loop as long as for the next poll of a busy shard. */
const SLOW_MS = 250;
/** The 99th percentile of fewer sleeps than this means nothing. */
const SLEEPS_MIN = 100;
/** The longest sleep that Node supports. */
const LONGEST_SLEEP_MS = 2 ** 31 - 1;

/** A clock that measures how late its sleeps end. */
export function watchLoop(clock: Clock, options: LoopWatchOptions): Clock {
  const lateness = new Lateness(options);
  return {
    now: () => clock.now(),
    monotonicMs: () => clock.monotonicMs(),
    async sleep(ms, signal) {
      const startedMs = clock.monotonicMs();
      await clock.sleep(ms, signal);
      if (signal?.aborted || ms > LONGEST_SLEEP_MS) return;
      const endedMs = clock.monotonicMs();
      const lateMs = endedMs - startedMs - Math.max(1, ms);
      lateness.saw(lateMs, endedMs);
      options.late?.(lateMs);
    },
  };
}

class Lateness {
  readonly #options: LoopWatchOptions;
  readonly #histogram = createHistogram();
  #sinceMs: number | undefined;
  /** The period began with a report, so the next report waits for the end of the period. */
  #quiet = false;

  constructor(options: LoopWatchOptions) {
    this.#options = options;
  }

  saw(lateMs: number, nowMs: number): void {
    this.#sinceMs ??= nowMs;
    // A histogram records only whole numbers from 1.
    this.#histogram.record(Math.max(1, Math.round(lateMs)));
    const periodMs = nowMs - this.#sinceMs;
    const isOver = periodMs >= PERIOD_MS;
    if (this.#quiet && !isOver) return;
    const endangers = this.#endangers(isOver);
    if (endangers) this.#report(endangers, periodMs);
    if (!endangers && !isOver) return;
    this.#histogram.reset();
    this.#sinceMs = nowMs;
    this.#quiet = endangers !== undefined;
  }

  #endangers(isOver: boolean): "leases" | "latency" | undefined {
    const { count, max } = this.#histogram;
    if (max >= this.#options.dangerMs) return "leases";
    const isSlow = isOver && count >= SLEEPS_MIN && this.#histogram.percentile(99) >= SLOW_MS;
    return isSlow ? "latency" : undefined;
  }

  #report(endangers: "leases" | "latency", periodMs: number): void {
    this.#options.emit({
      type: "eventLoopHeld",
      endangers,
      longestMs: this.#histogram.max,
      p99Ms: this.#histogram.percentile(99),
      periodMs: Math.round(periodMs),
    });
  }
}
