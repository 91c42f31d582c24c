// How the daemon ends, and with which exit code. It is asked to by a signal, or something fatal happens; from then on its
// children have a grace period to finish and say goodbye. What is not over by then is cut short.
//
// The exit code is 0 only when every child said goodbye in order. A child that fails while it is to stop loses nothing
// (another one goes on after its last checkpoint), but whatever it had not checkpointed is processed again.

import { ChildFailed } from "../child/childFailed.ts";
import type { Emit, Event } from "../events.ts";

export interface EndingOptions {
  readonly graceMs: number;
  /** No time is too long for a person with a debugger: only a second signal ends at once. */
  readonly unhurried: boolean;
  readonly emit: Emit;
}

/** How much of the grace period the children get; the rest is for ending them and releasing leases. */
const GRACE_SHARE = 0.8;

const OK = 0;
const FAILED = 1;
/** As shells report a signal: 128 and its number. */
const EXIT_CODE_OF_SIGNAL = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

export type StopSignal = keyof typeof EXIT_CODE_OF_SIGNAL;

export class Ending {
  readonly #options: EndingOptions;
  readonly #stop = new AbortController();
  readonly #kill = new AbortController();
  #asked = false;
  #failure: { readonly error: unknown } | undefined;
  #goodbyesMissed = 0;
  #cutShort: number | undefined;

  constructor(options: EndingOptions) {
    this.#options = options;
  }

  /** Finish in order. */
  get stop(): AbortSignal {
    return this.#stop.signal;
  }

  /** End now. */
  get kill(): AbortSignal {
    return this.#kill.signal;
  }

  /** What was fatal, if anything was. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  /** Children that failed in place of saying goodbye. */
  get goodbyesMissed(): number {
    return this.#goodbyesMissed;
  }

  get exitCode(): number {
    if (this.#failure) return FAILED;
    return this.#cutShort ?? (this.#goodbyesMissed > 0 ? FAILED : OK);
  }

  /** The first signal asks for an orderly end, for which there is time; the second ends at once. */
  ask(signal: StopSignal): void {
    if (this.#asked) {
      // A terminal that closes sends SIGHUP, and so does its shell: two of them ask for one stop.
      if (signal === "SIGHUP") return;
      this.#cutShort = EXIT_CODE_OF_SIGNAL[signal];
      this.#kill.abort(new Error(`${signal} came a second time`));
      return;
    }
    this.#asked = true;
    const { emit, graceMs } = this.#options;
    emit({ type: "stopRequested", reason: signal, graceMs });
    this.#begin();
  }

  /** Something fatal happened: it is reported now, once, and the others are asked to finish. */
  fail(error: unknown): void {
    if (this.#failure) return;
    this.#failure = { error };
    const { emit, graceMs, unhurried } = this.#options;
    emit({ type: "daemonFailed", error, ...(!unhurried && { graceMs }) });
    this.#begin();
  }

  /** To be called with every event of the daemon. */
  saw(event: Event): void {
    if (event.type !== "childFailed" || event.next !== "stop") return;
    // A child that was never there has no goodbye to say.
    const wasThere = !(event.error instanceof ChildFailed && event.error.reason === "spawn");
    if (wasThere && this.stop.aborted && !this.kill.aborted) this.#goodbyesMissed += 1;
  }

  #begin(): void {
    if (this.stop.aborted) return;
    this.#stop.abort();
    const { emit, graceMs, unhurried } = this.#options;
    if (unhurried) return;
    const limit = setTimeout(() => {
      this.#cutShort = FAILED;
      emit({ type: "graceExceeded", graceMs });
      this.#kill.abort(new Error(`the grace period of ${graceMs} ms is over`));
    }, graceMs * GRACE_SHARE);
    limit.unref();
  }
}
