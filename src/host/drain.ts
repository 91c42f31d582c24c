// The switch between working and standing by: a drained daemon has given up all its leases in order and takes none,
// but stays, so that it can go on at once. For maintenance, and for deployments that first start the successor.

import { underAny } from "../signals.ts";
import { type Clock, systemClock } from "../clock.ts";
import type { Emit } from "../events.ts";

/** Waiting for nothing in particular keeps a Node process alive only as long as a timer runs. */
const STAY_ALIVE_MS = 60_000;

export class Drain {
  readonly #emit: Emit;
  readonly #clock: Clock;
  #requested = new AbortController();
  #ended = new AbortController();

  constructor(emit: Emit, clock: Clock = systemClock) {
    this.#emit = emit;
    this.#clock = clock;
  }

  /** @param reason who wants it, such as SIGUSR2. */
  toggle(reason: string): void {
    if (this.#requested.signal.aborted) {
      this.#emit({ type: "resumed", reason });
      this.#requested = new AbortController();
      this.#ended.abort();
    } else {
      this.#emit({ type: "drainRequested", reason });
      this.#ended = new AbortController();
      this.#requested.abort();
    }
  }

  /** Works until a stop, with a rest whenever the switch is turned. @param work returns when its signal is aborted. */
  async workUntil(stop: AbortSignal, work: (pause: AbortSignal) => Promise<void>): Promise<void> {
    while (!stop.aborted) {
      const { signal: requested } = this.#requested;
      await underAny([stop, requested], work);
      // Wanted again before the last lease was given up: then there is nothing to rest for.
      if (stop.aborted || this.#requested.signal !== requested) continue;
      this.#emit({ type: "drained" });
      await underAny([stop, this.#ended.signal], (over) => this.#rest(over));
    }
  }

  async #rest(over: AbortSignal): Promise<void> {
    while (!over.aborted) await this.#clock.sleep(STAY_ALIVE_MS, over);
  }
}
