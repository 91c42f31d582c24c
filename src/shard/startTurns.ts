// Children start a few at a time. A daemon that comes by two hundred shards at once would else start as many programs at
// once; they would share the processors with it, and its leases would run out before the last one is up.

import { availableParallelism } from "node:os";
import type { Clock } from "../clock.ts";

/** Each is mostly busy with loading what it is written in. */
const FOR_EACH_PROCESSOR = 4;
const AT_LEAST = 8;
/** One that takes its time holds up nobody for longer than this. */
const TURN_MS = 1_000;

export class StartTurns {
  readonly #clock: Clock;
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(
    clock: Clock,
    atOnce = Math.max(AT_LEAST, FOR_EACH_PROCESSOR * availableParallelism()),
  ) {
    this.#clock = clock;
    this.#free = atOnce;
  }

  /**
   * Waits for a turn.
   *
   * @returns what ends the turn; it also ends by itself. `undefined` when a signal was aborted before.
   */
  async take(...signals: readonly AbortSignal[]): Promise<(() => void) | undefined> {
    if (signals.some((signal) => signal.aborted)) return undefined;
    if (this.#free > 0) this.#free -= 1;
    else if (!(await this.#comes(signals))) return undefined;
    const over = new AbortController();
    void this.#clock.sleep(TURN_MS, over.signal).then(() => this.#pass());
    return () => over.abort();
  }

  /** Resolves with true when the caller has a turn, with false when a signal was aborted before. */
  #comes(signals: readonly AbortSignal[]): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (comes: boolean) => {
        for (const signal of signals) signal.removeEventListener("abort", leave);
        resolve(comes);
      };
      const go = () => settle(true);
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(go), 1);
        settle(false);
      };
      this.#waiting.push(go);
      for (const signal of signals) signal.addEventListener("abort", leave, { once: true });
    });
  }

  #pass(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free += 1;
  }
}
