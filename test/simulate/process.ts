// A simulated process: its clock, which runs at its own rate, and whether it is running. Events of
// a stopped process wait until it resumes (as under SIGSTOP: its clock keeps running). Events of a
// dead process are dropped.

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

  /**
   * Runs a function after `ms` by this process's clock. Node's timers count whole milliseconds, at
   * least one, so they can fire slightly early.
   */
  timer(ms: number, run: () => void): Event {
    return this.after(Math.max(1, Math.trunc(ms)) / this.#rate, run);
  }

  /** Runs a function in this process after `ms` of true time. */
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
    // Timers and responses that arrived meanwhile are processed in a random order.
    const found = this.random.chance(0.5) ? this.random.shuffle(this.#deferred) : this.#deferred;
    this.#deferred = [];
    for (const event of found) this.after(0, () => event.run?.());
  }
}
