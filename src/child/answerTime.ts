// How long the daemon waits for a child's next message: reports a long wait, and fails the child at
// the time limit, if there is one. The time in which the child waits for the daemon does not count.

import type { Clock } from "../clock.ts";

export interface AnswerTimeOptions {
  /** Longest wait for each message, in milliseconds; no limit when absent. */
  readonly timeoutMs?: number;
  /** Whether long waits are reported. */
  readonly reports: boolean;
  readonly clock: Clock;
  /** The child has not answered for this time. */
  readonly isOwed: (elapsedMs: number) => void;
  /** The time limit has passed. */
  readonly isOver: (timeoutMs: number) => void;
}

/** The first report of a wait; each further one follows when the wait has doubled. */
const FIRST_REPORT_MS = 60_000;

export class AnswerTime {
  readonly #options: AnswerTimeOptions;
  readonly #childEnded = new AbortController();
  /** When the daemon began to wait; `undefined` while the child waits for the daemon. */
  #sinceMs: number | undefined;
  #isAnswerDue = false;
  #isReporting = false;
  #limit: AbortController | undefined;

  constructor(options: AnswerTimeOptions) {
    this.#options = options;
  }

  /** An action was sent. */
  begin(): void {
    const { timeoutMs, reports } = this.#options;
    this.#isAnswerDue = true;
    this.resume();
    if (reports && !this.#isReporting) void this.#report();
    // An AbortController costs more than a small batch, so there is none without a time limit.
    if (timeoutMs === undefined) return;
    this.#limit = new AbortController();
    void this.#watchLimit(timeoutMs, this.#limit.signal);
  }

  /** The action was answered, or failed. */
  end(): void {
    this.#isAnswerDue = false;
    this.#limit?.abort();
    this.#limit = undefined;
  }

  /** The child waits for the daemon. */
  pause(): void {
    this.#sinceMs = undefined;
  }

  /** The daemon waits for the child's next message, from now on. */
  resume(): void {
    this.#sinceMs = this.#options.clock.monotonicMs();
  }

  /** The child has exited. */
  close(): void {
    this.#childEnded.abort();
  }

  /**
   * One timer runs on through many actions, because a timer for each costs as much as a small
   * batch.
   */
  async #report(): Promise<void> {
    const { clock, isOwed } = this.#options;
    const { signal } = this.#childEnded;
    this.#isReporting = true;
    let [sinceMs, dueMs] = [0, FIRST_REPORT_MS];
    while (this.#isAnswerDue && !signal.aborted) {
      const nowMs = clock.monotonicMs();
      const currentSinceMs = this.#sinceMs ?? nowMs;
      if (currentSinceMs !== sinceMs) dueMs = FIRST_REPORT_MS;
      sinceMs = currentSinceMs;
      const elapsedMs = nowMs - sinceMs;
      if (elapsedMs < dueMs) {
        await clock.sleep(dueMs - elapsedMs, signal);
      } else {
        isOwed(elapsedMs);
        dueMs *= 2;
      }
    }
    this.#isReporting = false;
  }

  async #watchLimit(timeoutMs: number, over: AbortSignal): Promise<void> {
    const { clock, isOver } = this.#options;
    while (!over.aborted) {
      const sinceMs = this.#sinceMs ?? clock.monotonicMs();
      const leftMs = sinceMs + timeoutMs - clock.monotonicMs();
      if (leftMs <= 0) return isOver(timeoutMs);
      await clock.sleep(leftMs, over);
    }
  }
}
