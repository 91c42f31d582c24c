// The leases that this worker has asked live peers for (handover.ts), and those among them that may have been handed over
// without our having heard of it.

import type { Clock } from "../../clock.ts";
import { within } from "../../signals.ts";
import type { Lease } from "../lease.ts";
import { persist, RELEASE_PAUSE_MS } from "../persist.ts";
import type { Trouble } from "../trouble.ts";
import { askFor, type Outcome, type RequestParts, withdraw } from "./handover.ts";

export interface RequestsParts extends RequestParts {
  readonly clock: Clock;
  readonly trouble: Trouble;
  readonly random: () => number;
  /** Nothing is asked for any more, and what was is withdrawn. */
  readonly stopping: AbortSignal;
  /** Nothing is waited for any more. */
  readonly killed: AbortSignal;
}

export class Requests {
  readonly #parts: RequestsParts;
  /** Asked for and not given yet. */
  readonly #open = new Set<string>();
  /** Asked for, and until when they may be given. */
  readonly #expectedUntilMs = new Map<string, number>();

  constructor(parts: RequestsParts) {
    this.#parts = parts;
  }

  /** Shards that their owners were asked for. */
  get shardIds(): ReadonlySet<string> {
    return this.#open;
  }

  /** Shards that may have been handed over to us without our having heard of it. */
  expected(nowMs: number): ReadonlySet<string> {
    for (const [shardId, untilMs] of this.#expectedUntilMs) {
      if (untilMs <= nowMs) this.#expectedUntilMs.delete(shardId);
    }
    return new Set(this.#expectedUntilMs.keys());
  }

  /** The lease is ours: it is not expected any more. */
  taken(shardId: string): void {
    this.#expectedUntilMs.delete(shardId);
  }

  /** @returns the row to take up when it is given, or its owner does not hear; `undefined` when it is not to be had. */
  async ask(lease: Lease): Promise<Outcome | undefined> {
    const { shardId } = lease;
    const { clock, failoverTimeMillis, gracefulLeaseHandoffTimeoutMillis } = this.#parts;
    this.#open.add(shardId);
    this.#expectedUntilMs.set(
      shardId,
      clock.monotonicMs() + gracefulLeaseHandoffTimeoutMillis + 2 * failoverTimeMillis,
    );
    return (await this.#answerTo(lease)) ?? (await this.#withdraw(lease));
  }

  /** What was asked for has been settled. */
  settled(shardId: string): void {
    this.#open.delete(shardId);
  }

  /** What comes of asking for a lease; `undefined` when nothing does, or we are to stop. */
  async #answerTo(lease: Lease): Promise<Outcome | undefined> {
    const { stopping, trouble } = this.#parts;
    const work = { service: "dynamodb", operation: "ask for a lease", who: "" } as const;
    try {
      const outcome = await askFor(lease, this.#parts, stopping);
      trouble.recovered(work);
      // What was handed over is ours, and has to be released.
      return stopping.aborted && outcome?.how !== "handedOver" ? undefined : outcome;
    } catch (error) {
      // Once: the next look at all leases sees what became of it.
      trouble.failed(work, error, 0);
      trouble.gaveUp(work);
      return undefined;
    }
  }

  /**
   * Whoever was asked need not hand the lease over any more; if he has done so meanwhile, it is ours. Tried for as long as
   * others would take a lease that was given to us for a live one.
   */
  #withdraw({ shardId }: Lease): Promise<Outcome | undefined> {
    const { table, workerId, clock, failoverTimeMillis, killed } = this.#parts;
    const work = { service: "dynamodb", operation: "withdraw a request", who: shardId } as const;
    return within(failoverTimeMillis, clock, killed, (signal) => {
      const attempt = () => withdraw(shardId, table, workerId, signal);
      return persist(work, attempt, this.#parts, signal, RELEASE_PAUSE_MS);
    });
  }
}
