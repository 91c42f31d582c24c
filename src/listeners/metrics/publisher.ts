// Publishes metrics at regular intervals, and the rest at the end. What cannot be published
// is dropped, as in Java: metrics never use more memory or time than they are worth.

import type { Clock } from "../../clock.ts";
import type { Emit } from "../../events.ts";
import type { Statistic } from "./statistics.ts";

interface Taken {
  readonly statistics: readonly Statistic[];
  /** Values that were dropped because of a limit. */
  readonly dropped: number;
}

export interface PublisherParts {
  readonly intervalMs: number;
  /** Removes and returns what came since it was last called. */
  readonly take: () => Taken;
  /** Sends the statistics to their place. */
  readonly send: (statistics: readonly Statistic[], signal: AbortSignal) => Promise<void>;
  /** Called after the last `send`. */
  readonly close?: () => void;
  readonly emit: Emit;
  readonly clock: Clock;
}

/** How long the last metrics may delay the end of the daemon. */
const LAST_SEND_MS = 3_000;

export class Publisher {
  readonly #parts: PublisherParts;
  readonly #end = new AbortController();
  readonly #running: Promise<void>;
  #failures = 0;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
    this.#running = this.#run(this.#end.signal);
  }

  /** Publishes the rest. */
  async close(): Promise<void> {
    this.#end.abort();
    await this.#running;
    const over = new AbortController();
    const limit = this.#parts.clock.sleep(LAST_SEND_MS, over.signal).then(() => over.abort());
    await this.#publish(over.signal);
    over.abort();
    await limit;
    this.#parts.close?.();
  }

  async #run(ended: AbortSignal): Promise<void> {
    const { clock, intervalMs } = this.#parts;
    for (;;) {
      await clock.sleep(intervalMs, ended);
      if (ended.aborted) return;
      await this.#publish(ended);
    }
  }

  /** Never rejects. */
  async #publish(signal: AbortSignal): Promise<void> {
    const { emit, send, take } = this.#parts;
    const { statistics, dropped } = take();
    if (statistics.length === 0) return;
    try {
      await send(statistics, signal);
      if (dropped > 0) throw new TooManyMetrics(dropped);
      if (this.#failures > 0) emit({ type: "metricsRecovered", attempts: this.#failures });
      this.#failures = 0;
    } catch (error) {
      this.#failures += 1;
      const lost = error instanceof TooManyMetrics ? dropped : dropped + statistics.length;
      emit({ type: "metricsTrouble", error, attempt: this.#failures, dropped: lost });
    }
  }
}

class TooManyMetrics extends Error {
  override readonly name = "TooManyMetrics";

  constructor(dropped: number) {
    super(
      `${dropped} values were dropped, because metricsMaxQueueSize limits the number of metrics. Raise it, or leave out ShardId in metricsEnabledDimensions.`,
    );
  }
}
