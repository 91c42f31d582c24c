// Holds the signals that arrive before the daemon can react to them, so that none of them ends the
// process and none is forgotten. Only the time before Node runs any JavaScript (some 30 ms)
// remains: Node resets the signals to their defaults when it starts, so nothing can hold them then.

export const DAEMON_SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR2"] as const;

export type DaemonSignal = (typeof DAEMON_SIGNALS)[number];

export class HeldSignals {
  readonly #held: DaemonSignal[] = [];
  readonly #hold = (signal: NodeJS.Signals) => {
    this.#held.push(signal as DaemonSignal);
  };

  constructor() {
    for (const signal of DAEMON_SIGNALS) process.on(signal, this.#hold);
  }

  /** Calls `react` with each held signal in order, and from then on with each that arrives. */
  handTo(react: (signal: DaemonSignal) => void): void {
    // Never without a listener: then the signal would end the process.
    for (const signal of DAEMON_SIGNALS) process.on(signal, react);
    this.#stopHolding();
    for (const signal of this.#held) react(signal);
  }

  /** Lets the signals end the process again, those that were held included. */
  release(): void {
    this.#stopHolding();
    for (const signal of this.#held) process.kill(process.pid, signal);
  }

  #stopHolding(): void {
    for (const signal of DAEMON_SIGNALS) process.off(signal, this.#hold);
  }
}
