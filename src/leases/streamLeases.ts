// The leases of one stream: which of them are missing, which contradict the stream, and which can
// be deleted. An application that reads several streams has one lease table and one balance for
// all of them, and one of these for each stream, so that no decision about shards mixes two
// streams.

import { isInStream, scopedTo } from "../model/shardKey.ts";
import { within } from "../signals.ts";
import { checkAtStart, type ListShards } from "./compareWithStream.ts";
import { changedSince, type Observation } from "./decisions/observation.ts";
import { Housekeeping } from "./housekeeping.ts";
import { IsolatedLeases } from "./isolatedLeases.ts";
import type { Lease } from "./lease.ts";
import { retryUntil } from "./retryUntil.ts";
import { ServiceFailures } from "./serviceFailures.ts";
import { ShardSync } from "./shardSync.ts";
import type { Surroundings } from "./surroundings.ts";
import type { Scan } from "./table.ts";

export interface LeasedStream {
  /**
   * `account:stream:creationEpoch`, which the ids of its shards begin with (model/shardKey.ts).
   * Absent where the application reads one stream.
   */
  readonly streamId?: string;
  /** Names the stream in events. */
  readonly streamName?: string;
  /** Rejects with a UserError when a retry cannot help; any other error is retried. */
  readonly listShards: ListShards;
}

const SCAN = { service: "dynamodb", operation: "Scan" } as const;

export class StreamLeases {
  readonly #surroundings: Surroundings;
  readonly #stream: LeasedStream;
  readonly #sync: ShardSync;
  readonly #housekeeping: Housekeeping;
  readonly #isolated = new IsolatedLeases();
  /** Monotonic time of the last scan that showed leases of the stream. */
  #lastFilledMs = Number.NEGATIVE_INFINITY;
  #hasComparedWithStream = false;
  #hasBegun = false;

  /** @param seen what the worker knows from its scans. */
  constructor(shared: Surroundings, stream: LeasedStream, seen: () => Observation) {
    this.#stream = stream;
    const surroundings = this.#ownSurroundings(shared);
    const { clock, settings } = surroundings;
    const { listShards } = stream;
    this.#surroundings = surroundings;
    this.#sync = new ShardSync(surroundings, listShards);
    this.#housekeeping = new Housekeeping(surroundings, {
      sync: this.#sync,
      listShards,
      isolated: this.#isolated,
      leases: () => this.#own([...seen().values()].map(({ lease }) => lease)),
      renewed: () => {
        const sinceMs = clock.monotonicMs() - settings.failoverTimeMillis;
        return this.#own(changedSince(sinceMs, seen()));
      },
    });
  }

  /** Whether the shard belongs to the stream. */
  owns(shardId: string): boolean {
    return isInStream(this.#stream.streamId, shardId);
  }

  /** Audits and cleans up until the signal is aborted. */
  keepHouse(signal: AbortSignal): Promise<void> {
    return this.#housekeeping.run(signal);
  }

  /** Shards among these leases that nobody should take. */
  isolatedAmong(leases: Observation): readonly string[] {
    return this.#isolated.among(leases);
  }

  /** Creates the first leases in a table without leases of this application. */
  async fillEmptyTable(signal: AbortSignal): Promise<void> {
    const wasFilled = this.#lastFilledMs > Number.NEGATIVE_INFINITY;
    if (this.#mayFill) await this.#sync.fillEmptyTable(signal, wasFilled);
    this.#hasComparedWithStream = true;
  }

  /**
   * Creates what a scan shows to be missing.
   *
   * @returns whether new leases are about to appear in the table.
   */
  async saw(all: Scan, signal: AbortSignal): Promise<boolean> {
    const scan = this.#part(all);
    if (scan.leases.length === 0) {
      await this.#join(signal);
      return false;
    }
    this.#lastFilledMs = this.#surroundings.clock.monotonicMs();
    const listed = await this.#compareOnce(scan, signal);
    const hasNewLeases = await this.#sync.createOverdue(scan, listed, signal);
    if (signal.aborted || this.#hasBegun) return hasNewLeases;
    this.#hasBegun = true;
    this.#housekeeping.begin(scan);
    return hasNewLeases;
  }

  /** Whether some of the first leases are not in the table yet. */
  lacksFirstLeases(leases: readonly Lease[], signal: AbortSignal): Promise<boolean> {
    return this.#sync.lacksFirstLeases(this.#own(leases), signal);
  }

  /**
   * The first leases of a stream that joined the application. While they are created no lease is
   * taken, so a stream that cannot be listed is tried again after the next scan.
   */
  async #join(signal: AbortSignal): Promise<void> {
    if (!this.#mayFill) return;
    const { clock, settings } = this.#surroundings;
    await within(settings.failoverTimeMillis, clock, signal, (limited) =>
      this.#sync.fillEmptyTable(limited, true),
    );
    this.#hasComparedWithStream = true;
  }

  /**
   * When rows are deleted, the holders of the leases create them again. A row that is still missing
   * after the failover time has no live holder.
   */
  get #mayFill(): boolean {
    const { clock, settings } = this.#surroundings;
    return clock.monotonicMs() - this.#lastFilledMs > settings.failoverTimeMillis;
  }

  /** The listing of the first comparison; later scans are compared by housekeeping. */
  async #compareOnce(scan: Scan, signal: AbortSignal) {
    if (this.#hasComparedWithStream) return undefined;
    const { listShards } = this.#stream;
    const check = () =>
      checkAtStart(scan.leases, listShards, this.#surroundings, this.#isolated, signal);
    const listed = await retryUntil(SCAN, check, this.#surroundings, signal);
    this.#hasComparedWithStream = true;
    return listed;
  }

  #own(leases: readonly Lease[]): readonly Lease[] {
    return leases.filter(({ shardId }) => this.owns(shardId));
  }

  #part(scan: Scan): Scan {
    if (this.#stream.streamId === undefined) return scan;
    const unreadable = scan.unreadable.filter(({ shardId }) => this.owns(shardId));
    return { ...scan, leases: this.#own(scan.leases), unreadable };
  }

  /** A view of the table that shows this stream alone, and events that name it. */
  #ownSurroundings(shared: Surroundings): Surroundings {
    const { streamName } = this.#stream;
    if (streamName === undefined) return shared;
    const { table, emit: report } = shared;
    const emit: Surroundings["emit"] = (event) =>
      report({ ...event, ...scopedTo(event, streamName), streamName });
    const scan = async (signal: AbortSignal) => this.#part(await table.scan(signal));
    return {
      ...shared,
      emit,
      failures: new ServiceFailures(emit),
      table: { ...table, scan },
    };
  }
}
