// A process of the fleet: its clock, which runs at a rate of its own, and whether it runs at all. What happens for a
// stopped process waits until it goes on (as under SIGSTOP: its clock does not stop); for a dead one nothing happens.

import type { Clock } from "../../src/clock.ts";
import type { Random } from "./random.ts";
import type { Event, Schedule } from "./schedule.ts";

export class Process implements Clock {
  readonly name: string;
  readonly random: Random;
  dead = false;
  paused = false;
  readonly #schedule: Schedule;
  readonly #rate: number;
  readonly #bootMs: number;
  #deferred: Event[] = [];

  constructor(name: string, schedule: Schedule, rate: number, random: Random) {
    this.name = name;
    this.#schedule = schedule;
    this.#rate = rate;
    this.#bootMs = random.between(0, 1e9);
    this.random = random;
  }

  now(): number {
    return 1_700_000_000_000 + this.monotonicMs();
  }

  monotonicMs(): number {
    return this.#bootMs + this.#schedule.nowMs * this.#rate;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        timer.run = undefined;
        signal?.removeEventListener("abort", wake);
        resolve();
      };
      const timer = this.timer(ms, wake);
      signal?.addEventListener("abort", wake, { once: true });
    });
  }

  /** Runs something after `ms` by this process's clock. Node's timers count whole milliseconds, at least one: they can fire a little early. */
  timer(ms: number, run: () => void): Event {
    return this.after(Math.max(1, Math.trunc(ms)) / this.#rate, run);
  }

  /** Runs something in this process after `ms` of true time. */
  after(ms: number, run: () => void): Event {
    return this.#schedule.in(ms, run, this);
  }

  defer(event: Event): void {
    this.#deferred.push(event);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    // Timers and answers that came meanwhile are found in no particular order.
    const found = this.random.chance(0.5) ? this.random.shuffle(this.#deferred) : this.#deferred;
    this.#deferred = [];
    for (const event of found) this.after(0, () => event.run?.());
  }
}
