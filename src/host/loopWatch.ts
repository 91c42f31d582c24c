// Notices when the daemon's event loop is held up: too little CPU, a sleeping machine, a long piece of work. It looks at
// how late sleeps end that the daemon takes anyway (the renewals of leases and the looks at their table are the steadiest),
// so it wakes nobody; `monitorEventLoopDelay` would wake an idle daemon hundreds of times a second.

import { createHistogram } from "node:perf_hooks";
import type { Clock } from "../clock.ts";
import type { Emit } from "../events.ts";

export interface LoopWatchOptions {
  /** A sleep that ends so much too late is told at once. */
  readonly dangerMs: number;
  readonly emit: Emit;
}

/** Told at most once in so long. */
const PERIOD_MS = 60_000;
/** From here on a record waits as long for the loop as it does for the next poll of a busy shard. */
const SLOW_MS = 250;
/** Fewer sleeps than these have no 99th percentile. */
const ENOUGH_SLEEPS = 100;
/** Node takes no longer ones. */
const LONGEST_SLEEP_MS = 2 ** 31 - 1;

/** A clock whose sleeps tell how late they end. */
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
      lateness.saw(endedMs - startedMs - Math.max(1, ms), endedMs);
    },
  };
}

class Lateness {
  readonly #options: LoopWatchOptions;
  readonly #histogram = createHistogram();
  #sinceMs: number | undefined;
  /** Something was told when the period began: what comes now is told at its end. */
  #quiet = false;

  constructor(options: LoopWatchOptions) {
    this.#options = options;
  }

  saw(lateMs: number, nowMs: number): void {
    this.#sinceMs ??= nowMs;
    // Only whole numbers from 1 on can be recorded.
    this.#histogram.record(Math.max(1, Math.round(lateMs)));
    const periodMs = nowMs - this.#sinceMs;
    const isOver = periodMs >= PERIOD_MS;
    if (this.#quiet && !isOver) return;
    const endangers = this.#endangers(isOver);
    if (endangers) this.#tell(endangers, periodMs);
    if (!endangers && !isOver) return;
    this.#histogram.reset();
    this.#sinceMs = nowMs;
    this.#quiet = endangers !== undefined;
  }

  #endangers(isOver: boolean): "leases" | "latency" | undefined {
    const { count, max } = this.#histogram;
    if (max >= this.#options.dangerMs) return "leases";
    const isSlow = isOver && count >= ENOUGH_SLEEPS && this.#histogram.percentile(99) >= SLOW_MS;
    return isSlow ? "latency" : undefined;
  }

  #tell(endangers: "leases" | "latency", periodMs: number): void {
    this.#options.emit({
      type: "eventLoopHeld",
      endangers,
      longestMs: this.#histogram.max,
      p99Ms: this.#histogram.percentile(99),
      periodMs: Math.round(periodMs),
    });
  }
}
