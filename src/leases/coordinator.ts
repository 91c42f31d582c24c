// The life cycle of one worker: it opens the lease table, starts the loops, and ends them. The
// decisions are pure functions in decisions/; `run` returns when, and only when, everything that it
// started has ended.
//
// Loops:  the taker looks at the leases and takes some (leaseTaker.ts); each tenure renews its
//         lease (holding/tenure.ts); housekeeping audits and deletes the leases of each stream
//         (streamLeases.ts); in a fleet of KCL 3.x the membership reports to the leader
//         (kcl3/membership.ts).
// Ends:   a stop is graceful. The worker takes no more leases; consumers finish while their leases
//         are renewed; each lease is released when its consumer returns, so that other workers need
//         not wait until it expires. When a consumer fails, the table disappears, or a second
//         worker uses our worker id, the worker stops in the same way and `run` rejects with the
//         reason.

import type { Clock } from "../clock.ts";
import type { Emit } from "../events.ts";
import { sharedController, unlessAborted } from "../signals.ts";
import { WakeUp } from "../wakeUp.ts";
import type { Consume } from "./heldLease.ts";
import { duplicateWorker } from "./holding/duplicateWorker.ts";
import { Holdings } from "./holding/holdings.ts";
import { Discovery } from "./kcl3/discovery.ts";
import type { FleetTables } from "./kcl3/fleetTables.ts";
import { Membership } from "./kcl3/membership.ts";
import { LeaseTaker } from "./leaseTaker.ts";
import { accessDenied, retryUntil } from "./retryUntil.ts";
import { ServiceFailures } from "./serviceFailures.ts";
import type { LeaseSettings } from "./settings.ts";
import { type LeasedStream, StreamLeases } from "./streamLeases.ts";
import type { Surroundings } from "./surroundings.ts";
import { type LeaseTable, LeaseTableError } from "./table.ts";

export interface CoordinatorParts {
  readonly table: LeaseTable;
  /** The tables of a KCL 3.x fleet; absent when this worker should not look for one. */
  readonly fleet?: FleetTables;
  readonly streams: readonly LeasedStream[];
  /**
   * Unique among all live workers of the application. A worker with a stable id takes its own
   * leases again after a restart.
   */
  readonly workerId: string;
  /**
   * Awaited before a missing table is created, so that a mistyped streamName does not leave a table
   * behind.
   */
  readonly streamIsThere?: (signal: AbortSignal) => Promise<unknown>;
  readonly settings: LeaseSettings;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly consume: Consume;
  /** Called immediately with the failure that `run` rejects with after everything has ended. */
  readonly failed?: (error: unknown) => void;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
}

/** After an immediate stop: how long consumers may take to notice that their children are dead. */
const LAST_CHILD_MS = 5_000;

export class Coordinator {
  readonly #parts: CoordinatorParts;
  readonly #surroundings: Surroundings;
  readonly #holdings: Holdings;
  readonly #streams: readonly StreamLeases[];
  readonly #membership: Membership | undefined;
  readonly #taker: LeaseTaker;
  readonly #stopping = sharedController();
  #failure: { readonly error: unknown } | undefined;

  constructor(parts: CoordinatorParts) {
    const { table, workerId, settings, clock, emit, random, fleet } = parts;
    const failures = new ServiceFailures(emit);
    const surroundings = { table, workerId, settings, clock, emit, random, failures };
    this.#parts = parts;
    this.#surroundings = surroundings;
    const lookSoon = new WakeUp();
    this.#membership = fleet && new Membership(surroundings, fleet, () => lookSoon.trigger());
    this.#holdings = new Holdings(surroundings, {
      consume: parts.consume,
      reportsThroughput: () => this.#membership?.mode.version === "3x",
      lookAgain: () => lookSoon.trigger(),
      failed: (error) => this.#fail(error),
      duplicateFound: (shardId) => this.#failAsDuplicate(shardId),
    });
    const seen = () => this.#taker.observation;
    this.#streams = parts.streams.map((each) => new StreamLeases(surroundings, each, seen));
    this.#taker = new LeaseTaker(surroundings, {
      streams: this.#streams,
      lookSoon,
      holdings: this.#holdings,
      membership: this.#membership,
      discovery: fleet && new Discovery(surroundings, fleet),
      duplicateFound: (shardId) => this.#failAsDuplicate(shardId),
    });
  }

  /**
   * Works until `signal` asks for a graceful stop; `killSignal` shortens the stop. Call it once.
   *
   * @throws the error of a consumer; UserError when the table is not a lease table, the stream does
   *   not exist, or a second worker uses our worker id.
   */
  async run(
    signal: AbortSignal,
    killSignal: AbortSignal = new AbortController().signal,
  ): Promise<void> {
    const stop = () => this.#stop();
    for (const each of [signal, killSignal]) each.addEventListener("abort", stop, { once: true });
    if (signal.aborted || killSignal.aborted) stop();
    try {
      const { signal: stopping } = this.#stopping;
      await Promise.all([this.#open(), this.#membership?.look(stopping)]);
      const loops = [
        this.#taker.run(stopping),
        ...this.#streams.map((stream) => stream.keepHouse(stopping)),
        this.#membership?.run(stopping) ?? Promise.resolve(),
      ];
      await Promise.all(loops.map((loop) => loop.catch((error: unknown) => this.#fail(error))));
    } catch (error) {
      this.#fail(error);
    } finally {
      await unlessAborted(this.#holdings.ended(), killSignal);
      if (killSignal.aborted) await this.#abandon();
      for (const each of [signal, killSignal]) each.removeEventListener("abort", stop);
    }
    if (this.#failure) throw this.#failure.error;
  }

  async #open(): Promise<void> {
    const { table, emit, streamIsThere } = this.#parts;
    const { signal } = this.#stopping;
    const ensure = async () => {
      try {
        return await table.ensure(signal, streamIsThere);
      } catch (error) {
        if (error instanceof LeaseTableError && error.reason === "denied") {
          throw accessDenied(error);
        }
        throw error;
      }
    };
    const call = { service: "dynamodb", operation: "open lease table" } as const;
    const opened = await retryUntil(call, ensure, this.#surroundings, signal);
    if (opened === "created") emit({ type: "leaseTableCreated", tableName: table.tableName });
  }

  #stop(): void {
    this.#stopping.abort();
    this.#holdings.stop();
  }

  async #abandon(): Promise<void> {
    await this.#holdings.abandon();
    const over = new AbortController();
    const limit = this.#parts.clock.sleep(LAST_CHILD_MS, over.signal);
    await Promise.race([this.#holdings.ended(), limit]);
    over.abort();
  }

  /** `run` rejects with the first failure. */
  #fail(error: unknown): void {
    const isFirst = this.#failure === undefined;
    this.#failure ??= { error };
    this.#stop();
    if (isFirst) this.#parts.failed?.(error);
  }

  #failAsDuplicate(shardId: string): void {
    const { workerId, table } = this.#parts;
    this.#fail(duplicateWorker(workerId, table.tableName, shardId));
  }
}
