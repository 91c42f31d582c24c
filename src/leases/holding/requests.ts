// The leases that this worker has requested from live workers (handover.ts), and those among them
// that may have been handed over without this worker knowing.

import { within } from "../../signals.ts";
import type { Lease } from "../lease.ts";
import { RELEASE_PAUSE_MS, retryUntil } from "../retryUntil.ts";
import type { Surroundings } from "../surroundings.ts";
import { type Granted, requestLease, withdraw } from "./handover.ts";

export interface RequestsSignals {
  /** Nothing more is requested, and open requests are withdrawn. */
  readonly stopping: AbortSignal;
  /** Every wait ends. */
  readonly killed: AbortSignal;
}

export class Requests {
  readonly #surroundings: Surroundings;
  readonly #signals: RequestsSignals;
  /** Shards requested and neither granted nor withdrawn yet. */
  readonly #open = new Set<string>();
  /** Until when (monotonic) each requested lease may still be handed over. */
  readonly #expectedUntilMs = new Map<string, number>();

  constructor(surroundings: Surroundings, signals: RequestsSignals) {
    this.#surroundings = surroundings;
    this.#signals = signals;
  }

  /** Shards requested from their owners. */
  get shardIds(): ReadonlySet<string> {
    return this.#open;
  }

  /** Shards that may have been handed over to this worker, which has not learned of it. */
  expected(nowMs: number): ReadonlySet<string> {
    for (const [shardId, untilMs] of this.#expectedUntilMs) {
      if (untilMs <= nowMs) this.#expectedUntilMs.delete(shardId);
    }
    return new Set(this.#expectedUntilMs.keys());
  }

  /** The lease is ours, so it is no longer expected. */
  taken(shardId: string): void {
    this.#expectedUntilMs.delete(shardId);
  }

  /**
   * Requests a lease. Call `close` when the result has been processed.
   *
   * @returns the lease when it was handed over or its owner does not understand requests;
   *   `undefined` when the request failed, or was withdrawn.
   */
  async request(lease: Lease): Promise<Granted | undefined> {
    const { shardId } = lease;
    const { clock, settings } = this.#surroundings;
    const { failoverTimeMillis, gracefulLeaseHandoffTimeoutMillis } = settings;
    this.#open.add(shardId);
    this.#expectedUntilMs.set(
      shardId,
      clock.monotonicMs() + gracefulLeaseHandoffTimeoutMillis + 2 * failoverTimeMillis,
    );
    return (await this.#requestOnce(lease)) ?? (await this.#withdraw(lease));
  }

  close(shardId: string): void {
    this.#open.delete(shardId);
  }

  async #requestOnce(lease: Lease): Promise<Granted | undefined> {
    const { failures } = this.#surroundings;
    const { stopping } = this.#signals;
    const call = { service: "dynamodb", operation: "ask for a lease" } as const;
    try {
      const granted = await requestLease(lease, this.#surroundings, stopping);
      failures.recovered(call);
      // A lease that was handed over is ours even during a stop, and must be released.
      return stopping.aborted && granted?.how !== "handedOver" ? undefined : granted;
    } catch (error) {
      // There is no retry: the next scan shows the result of the request.
      failures.failed(call, error, 0);
      failures.gaveUp(call);
      return undefined;
    }
  }

  /**
   * Withdraws the request. If the owner has handed the lease over in the meantime, the lease is
   * ours. This is tried for one failover time: after that, other workers consider a lease that was
   * given to us as expired.
   */
  #withdraw({ shardId }: Lease): Promise<Granted | undefined> {
    const { table, workerId, clock, settings } = this.#surroundings;
    const call = { service: "dynamodb", operation: "withdraw a request", shardId } as const;
    return within(settings.failoverTimeMillis, clock, this.#signals.killed, (signal) => {
      const attempt = () => withdraw(shardId, table, workerId, signal);
      return retryUntil(call, attempt, this.#surroundings, signal, RELEASE_PAUSE_MS);
    });
  }
}
