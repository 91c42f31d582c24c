// The switch between working and standing by. A drained daemon has released all its leases in order
// and takes none, but it stays up, so that it can resume at once. This serves maintenance, and
// deployments that start the new daemon before they stop the old one.

import { type Clock, systemClock } from "../clock.ts";
import type { Emit } from "../events.ts";
import { Latch } from "../latch.ts";
import { underAny } from "../signals.ts";

/** A timer runs while the daemon stands by, because without one Node would end the process. */
const STAY_ALIVE_MS = 60_000;

export class Drain {
  readonly #emit: Emit;
  readonly #clock: Clock;
  #requested = new AbortController();
  #resumed = new Latch();

  constructor(emit: Emit, clock: Clock = systemClock) {
    this.#emit = emit;
    this.#clock = clock;
  }

  /** @param reason what requests it, such as SIGUSR2. */
  toggle(reason: string): void {
    if (this.#requested.signal.aborted) this.resume(reason);
    else this.request(reason);
  }

  /** Does nothing when the daemon is drained already. */
  request(reason: string): void {
    if (this.#requested.signal.aborted) return;
    this.#emit({ type: "drainRequested", reason });
    this.#resumed = new Latch();
    this.#requested.abort();
  }

  /** Does nothing when the daemon is not drained. */
  resume(reason: string): void {
    if (!this.#requested.signal.aborted) return;
    this.#emit({ type: "resumed", reason });
    this.#requested = new AbortController();
    this.#resumed.set();
  }

  /**
   * Works until a stop is requested, and stands by in between while the daemon is drained.
   *
   * @param work returns when its signal is aborted.
   */
  async workUntil(stop: AbortSignal, work: (pause: AbortSignal) => Promise<void>): Promise<void> {
    while (!stop.aborted) {
      const { signal: requested } = this.#requested;
      await underAny([stop, requested], work);
      // If the daemon was resumed before it had released the last lease, it works on at once.
      if (stop.aborted || this.#requested.signal !== requested) continue;
      this.#emit({ type: "drained" });
      await this.#standBy(stop);
    }
  }

  async #standBy(stop: AbortSignal): Promise<void> {
    const over = new AbortController();
    const staying = this.#stayAlive(over.signal);
    await this.#resumed.wait(stop);
    over.abort();
    await staying;
  }

  async #stayAlive(over: AbortSignal): Promise<void> {
    while (!over.aborted) await this.#clock.sleep(STAY_ALIVE_MS, over);
  }
}
