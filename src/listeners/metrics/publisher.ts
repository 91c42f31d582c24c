// Publishes KCL's metrics at regular intervals, and the rest at the end. What cannot be published
// is dropped, as in Java: metrics never use more memory or time than they are worth.

import type { Clock } from "../../clock.ts";
import type { Emit, Event } from "../../events.ts";
import { kclMetrics } from "./kclMetrics.ts";
import { type Statistic, Statistics, type StatisticsSettings } from "./statistics.ts";

export interface PublisherParts {
  readonly settings: StatisticsSettings & { readonly metricsBufferTimeMillis: number };
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
  readonly #statistics: Statistics;
  readonly #record: (event: Event) => void;
  readonly #end = new AbortController();
  readonly #running: Promise<void>;
  #failures = 0;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
    this.#statistics = new Statistics(parts.settings);
    this.#record = kclMetrics((datum) => this.#statistics.add(datum));
    this.#running = this.#run(this.#end.signal);
  }

  saw(event: Event): void {
    this.#record(event);
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
    const { clock, settings } = this.#parts;
    for (;;) {
      await clock.sleep(settings.metricsBufferTimeMillis, ended);
      if (ended.aborted) return;
      await this.#publish(ended);
    }
  }

  /** Never rejects. */
  async #publish(signal: AbortSignal): Promise<void> {
    const { emit, send } = this.#parts;
    const { statistics, dropped } = this.#statistics.take();
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
