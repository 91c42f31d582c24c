// The time that a consumer has to finish after another worker requested its lease.

import type { Clock } from "../../clock.ts";
import { Latch } from "../../latch.ts";

export class HandoverDeadline {
  readonly limitMs: number;
  readonly #requested = new Latch();

  constructor(limitMs: number) {
    this.limitMs = limitMs;
  }

  /** True from the moment when this worker knows of the request. */
  get isRequested(): boolean {
    return this.#requested.isSet;
  }

  /** The time starts now. */
  start(): void {
    this.#requested.set();
  }

  /** Resolves to true when the time is over, and to false when the tenure has ended before. */
  async isMissed(clock: Clock, ended: AbortSignal): Promise<boolean> {
    await this.#requested.wait(ended);
    await clock.sleep(this.limitMs, ended);
    return !ended.aborted;
  }
}
