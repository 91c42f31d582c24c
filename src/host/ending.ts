// How the daemon ends, and with which exit code. A signal or a fatal error starts the end. From
// then on the children have a grace period in which to finish. What has not finished by then is
// killed.
//
// The exit code is 0 only when every child ended in order. If a child fails while it should stop,
// nothing is lost, because another child continues after the last checkpoint. But the records after
// that checkpoint are processed again.

import { ChildFailed } from "../child/childFailed.ts";
import type { Clock } from "../clock.ts";
import type { Emit, Event } from "../events.ts";

export interface EndingOptions {
  readonly graceMs: number;
  /**
   * A user debugs the processor: there is no grace period, and only a second signal ends at once.
   */
  readonly isDebugged: boolean;
  /** Other applications of the process continue when this one fails. */
  readonly isOneOfSeveral: boolean;
  readonly emit: Emit;
  readonly clock: Clock;
}

/**
 * The children's fraction of the grace period. The rest is for ending them and releasing leases.
 */
const GRACE_SHARE = 0.8;

/**
 * One request often arrives as two signals: `timeout` signals the program and then its group, and
 * npm passes on the SIGINT that the terminal has sent to both.
 */
export const SAME_REQUEST_MS = 250;

const OK = 0;
const FAILED = 1;
/** As shells report a signal: 128 + its number. */
const EXIT_CODE_OF_SIGNAL = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

export type StopSignal = keyof typeof EXIT_CODE_OF_SIGNAL;

export class Ending {
  readonly #options: EndingOptions;
  readonly #stop = new AbortController();
  readonly #kill = new AbortController();
  #requested: { readonly signal: StopSignal; readonly atMs: number } | undefined;
  #failure: { readonly error: unknown } | undefined;
  #goodbyesMissed = 0;
  #cutShort: number | undefined;

  constructor(options: EndingOptions) {
    this.#options = options;
  }

  /** Aborted when the daemon should stop in order. */
  get stop(): AbortSignal {
    return this.#stop.signal;
  }

  /** Aborted when the daemon should end at once. */
  get kill(): AbortSignal {
    return this.#kill.signal;
  }

  /** The fatal error, if there was one. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  /** Children that failed while they should have ended in order. */
  get goodbyesMissed(): number {
    return this.#goodbyesMissed;
  }

  get exitCode(): number {
    if (this.#failure) return FAILED;
    return this.#cutShort ?? (this.#goodbyesMissed > 0 ? FAILED : OK);
  }

  /**
   * The first signal requests an orderly stop; the second ends the daemon at once, unless it only
   * repeats the first.
   */
  request(signal: StopSignal): void {
    const { emit, graceMs, clock } = this.#options;
    if (this.#requested) {
      // When a terminal closes, both it and its shell send SIGHUP.
      if (signal === "SIGHUP") return;
      const { signal: first, atMs } = this.#requested;
      if (signal === first && clock.monotonicMs() - atMs < SAME_REQUEST_MS) return;
      this.#cutShort = EXIT_CODE_OF_SIGNAL[signal];
      this.#kill.abort(new Error(`the daemon received ${signal} while it was stopping`));
      return;
    }
    this.#requested = { signal, atMs: clock.monotonicMs() };
    emit({ type: "stopRequested", reason: signal, graceMs });
    this.#begin();
  }

  /** Reports a fatal error, the first one only, and requests an orderly stop of everything else. */
  fail(error: unknown): void {
    if (this.#failure) return;
    this.#failure = { error };
    const { emit, graceMs, isDebugged, isOneOfSeveral } = this.#options;
    const type = isOneOfSeveral ? "applicationFailed" : "daemonFailed";
    emit({ type, error, ...(!isDebugged && { graceMs }) });
    this.#begin();
  }

  /** Call this with every event of the daemon. */
  saw(event: Event): void {
    if (event.type !== "childFailed" || event.next !== "stop") return;
    // A child that could not be started had nothing to finish.
    const hadStarted = !(event.error instanceof ChildFailed && event.error.reason === "spawn");
    if (hadStarted && this.stop.aborted && !this.kill.aborted) this.#goodbyesMissed += 1;
  }

  #begin(): void {
    if (this.stop.aborted) return;
    this.#stop.abort();
    const { emit, graceMs, isDebugged } = this.#options;
    if (isDebugged) return;
    const limit = setTimeout(() => {
      this.#cutShort = FAILED;
      emit({ type: "graceExceeded", graceMs });
      this.#kill.abort(new Error(`the grace period of ${graceMs} ms is over`));
    }, graceMs * GRACE_SHARE);
    limit.unref();
  }
}
