// Carries out the decisions of decisions/sync.ts: lists the stream's shards and creates the missing
// leases. Any worker may do this at any time. A lease is created only if its row is absent, so a
// race costs one request and nothing else.
//
// If every worker of a starting fleet filled the empty table, each lease would be requested once
// for each worker. So the worker that creates the lease of the oldest shard also creates the
// others. The other workers watch the table, and create the missing leases when it stops growing.

import { inParallel } from "../inParallel.ts";
import { UserError } from "../model/errors.ts";
import type { Shard, ShardFilter } from "../model/shard.ts";
import { counted } from "../plural.ts";
import { within } from "../signals.ts";
import type { ListShards } from "./compareWithStream.ts";
import type { HashRangeHole } from "./decisions/hashRangeHole.ts";
import {
  filterFor,
  firstLeases,
  leasesMissingRelatives,
  missingLeases,
  type Tracked,
  trackedShards,
  unexpectedChildren,
} from "./decisions/sync.ts";
import type { Lease, NewLease } from "./lease.ts";
import { retryUntil } from "./retryUntil.ts";
import type { Surroundings } from "./surroundings.ts";
import { createLease } from "./table/createLease.ts";
import type { Scan } from "./table.ts";

/** A listing may show a reshard half done. As in Java: three attempts, one second apart. */
const LISTING_ATTEMPTS = 3;
const LISTING_PAUSE_MS = 1_000;
/** No lease is taken during this lookup, so the worker does not wait longer for a slow service. */
const LOOKUP_LIMIT_MS = 1_000;
/** Creates in flight. DynamoDB accepts thousands of writes a second. */
const CREATE_CONCURRENCY = 16;
const LIST_SHARDS = { service: "kinesis", operation: "ListShards" } as const;

/** The first leases of an application, as this worker would create them. */
interface FirstLeases {
  readonly leases: readonly NewLease[];
  /** How many of them the last scan did not show. */
  readonly lacking: number;
  /** Monotonic time at which to stop waiting for another worker, unless the number falls. */
  readonly giveUpMs: number;
}

export class ShardSync {
  readonly #surroundings: Surroundings;
  readonly #listShards: ListShards;
  /** `undefined`: the table was not empty when this worker started, or it has them all. */
  #first: FirstLeases | undefined;
  /** Leases with missing relatives for which the listing showed no missing shard. */
  #resolved: ReadonlySet<string> = new Set();

  constructor(surroundings: Surroundings, listShards: ListShards) {
    this.#surroundings = surroundings;
    this.#listShards = listShards;
  }

  /**
   * Creates the first leases of an application. Returns when they are in the table, when another
   * worker is creating them, or when the signal is aborted.
   *
   * @param wasFilled the table had leases before: then a missing stream is waited for.
   */
  async fillEmptyTable(signal: AbortSignal, wasFilled = false): Promise<void> {
    const { settings, clock } = this.#surroundings;
    if (this.#first) {
      await this.lacksFirstLeases([], signal);
      return;
    }
    for (let attempt = 1; !signal.aborted; attempt++) {
      const shards = await this.#listFirst(signal, wasFilled);
      if (!shards) return;
      const decision = firstLeases(shards, settings.initialPosition);
      if ("create" in decision) return this.#createFirst(decision.create, signal);
      if (attempt === LISTING_ATTEMPTS) throw incompleteListing(shards, decision.hole);
      await clock.sleep(LISTING_PAUSE_MS, signal);
    }
  }

  /**
   * Whether some of the first leases are not in the table yet. Creates them when no other worker
   * seems to.
   *
   * @param leases the leases that a scan of the table showed.
   */
  async lacksFirstLeases(leases: readonly Lease[], signal: AbortSignal): Promise<boolean> {
    const { clock, settings, random } = this.#surroundings;
    const first = this.#first;
    if (!first) return false;
    const seen = new Set(leases.map(({ shardId }) => shardId));
    const lacking = first.leases.filter(({ shardId }) => !seen.has(shardId));
    const nowMs = clock.monotonicMs();
    if (lacking.length === 0) this.#first = undefined;
    else if (lacking.length < first.lacking) {
      const waitMs = settings.failoverTimeMillis * (0.5 + random() / 2);
      this.#first = { ...first, lacking: lacking.length, giveUpMs: nowMs + waitMs };
    } else if (nowMs >= first.giveUpMs) {
      this.#first = undefined;
      await this.#create(first.leases.length, lacking, signal);
    }
    return this.#first !== undefined;
  }

  /**
   * Creates leases for shards that have no lease and no ancestor whose lease would create one.
   * Lists again when the listing contradicts itself. Each create is tried once: the decision may be
   * outdated a moment later, and the next audit finds what is still missing. After a failover time
   * the view of the table is too old to create anything from: a shard may have been processed, and
   * its lease deleted, since then.
   *
   * @param tracked the rows of a scan that was just made.
   */
  async fillHoles(tracked: Tracked, signal: AbortSignal): Promise<void> {
    const { settings, failures, clock } = this.#surroundings;
    const isFresh = this.#freshness();
    for (let attempt = 1; !signal.aborted; attempt++) {
      const shards = await this.listShards(undefined, signal);
      // A stream that lists no shards is being created or deleted.
      if (!shards || shards.length === 0) return;
      const { initialPosition, ignoreUnexpectedChildShards } = settings;
      const missing = missingLeases(shards, tracked, initialPosition, ignoreUnexpectedChildShards);
      if (missing.unexpectedChildren.length === 0 || ignoreUnexpectedChildShards) {
        await this.#create(shards.length, missing.create, signal, { isFresh });
        return;
      }
      const error = contradictoryListing(missing.unexpectedChildren);
      failures.failed(LIST_SHARDS, error, LISTING_PAUSE_MS);
      failures.gaveUp(LIST_SHARDS);
      if (attempt === LISTING_ATTEMPTS) return;
      await clock.sleep(LISTING_PAUSE_MS, signal);
    }
  }

  /**
   * Creates leases for overdue shards before anybody takes their descendants. If the stream cannot
   * be listed now, the next scan leads to another attempt.
   *
   * @param listed a listing made now, if there is one; otherwise the stream is listed only when
   *   leases miss relatives.
   * @returns whether leases were created.
   */
  async createOverdue(
    { leases, unreadable }: Scan,
    listed: readonly Shard[] | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    const isFresh = this.#freshness();
    const tracked = trackedShards(leases, unreadable);
    const incomplete = leasesMissingRelatives(leases, new Set(tracked.keys()));
    const isListingNeeded = incomplete.some((shardId) => !this.#resolved.has(shardId));
    const shards = listed ?? (isListingNeeded ? await this.#listOnce(signal) : undefined);
    if (!shards || shards.length === 0) return false;
    const { initialPosition, ignoreUnexpectedChildShards } = this.#surroundings.settings;
    const { overdue } = missingLeases(
      shards,
      tracked,
      initialPosition,
      ignoreUnexpectedChildShards,
    );
    if (overdue.length > 0) return this.#create(shards.length, overdue, signal, { isFresh });
    this.#resolved = new Set(incomplete);
    return false;
  }

  /**
   * Lists the stream for an application that is already running: a missing stream is reported and
   * waited for.
   *
   * @returns `undefined` when the signal was aborted before a response came.
   */
  listShards(filter: ShardFilter, signal: AbortSignal): Promise<readonly Shard[] | undefined> {
    const list = () => this.#listShards(filter, signal).catch(throwAsTransient);
    return retryUntil(LIST_SHARDS, list, this.#surroundings, signal);
  }

  /** The listing, if it comes within the limit. The readers of the stream report its failures. */
  async #listOnce(signal: AbortSignal): Promise<readonly Shard[] | undefined> {
    const list = (limited: AbortSignal) => this.#listShards(undefined, limited);
    const { clock } = this.#surroundings;
    return within(LOOKUP_LIMIT_MS, clock, signal, list).catch(() => undefined);
  }

  /** Whether a view of the table that is taken now may still be acted on. */
  #freshness(): () => boolean {
    const { clock, settings } = this.#surroundings;
    const untilMs = clock.monotonicMs() + settings.failoverTimeMillis;
    return () => clock.monotonicMs() < untilMs;
  }

  /**
   * The shards to fill an empty table from. A child whose parent is listed as open gets no lease
   * here, because that lease could start at LATEST: the end of its parent creates one that starts
   * at the child's first record.
   */
  #listFirst(signal: AbortSignal, wasFilled: boolean): Promise<readonly Shard[] | undefined> {
    const { initialPosition, ignoreUnexpectedChildShards } = this.#surroundings.settings;
    const list = async () => {
      const listed = this.#listShards(filterFor(initialPosition), signal);
      const shards = await (wasFilled ? listed.catch(throwAsTransient) : listed);
      const children = unexpectedChildren(shards);
      if (children.length > 0 && !ignoreUnexpectedChildShards) throw contradictoryListing(children);
      return shards.filter(({ shardId }) => !children.includes(shardId));
    };
    return retryUntil(LIST_SHARDS, list, this.#surroundings, signal);
  }

  async #createFirst(leases: readonly NewLease[], signal: AbortSignal): Promise<void> {
    const [oldest, ...others] = leases;
    if (!oldest) return;
    const { clock, settings, emit, table } = this.#surroundings;
    const { shardId, checkpoint } = oldest;
    const call = { service: "dynamodb", operation: "create lease", shardId } as const;
    const attempt = () => createLease(oldest, table, signal);
    const result = await retryUntil(call, attempt, this.#surroundings, signal);
    if (result === "created") {
      emit({ type: "leaseCreated", shardId, checkpoint });
      await this.#create(leases.length, others, signal, { before: 1 });
    }
    const giveUpMs = clock.monotonicMs() + settings.failoverTimeMillis;
    this.#first = { leases, lacking: leases.length, giveUpMs };
  }

  /**
   * @param before how many were created already.
   * @param isFresh where present, each create is tried once, and only while this returns true;
   *   where absent, each is retried until it succeeds.
   * @returns whether leases were created.
   */
  async #create(
    shards: number,
    leases: readonly NewLease[],
    signal: AbortSignal,
    { before = 0, isFresh }: { readonly before?: number; readonly isFresh?: () => boolean } = {},
  ): Promise<boolean> {
    const { table, emit, failures } = this.#surroundings;
    let created = before;
    await inParallel(leases, CREATE_CONCURRENCY, async (lease) => {
      const { shardId, checkpoint } = lease;
      const call = { service: "dynamodb", operation: "create lease", shardId } as const;
      const create = () => createLease(lease, table, signal);
      if (isFresh && !isFresh()) return;
      const result = isFresh
        ? await create().catch((error: unknown) => failures.failed(call, error, 0))
        : await retryUntil(call, create, this.#surroundings, signal);
      if (isFresh) failures.gaveUp(call);
      if (result !== "created") return;
      created++;
      emit({ type: "leaseCreated", shardId, checkpoint });
    });
    if (!signal.aborted) emit({ type: "shardsSynced", shards, created });
    return created > 0;
  }
}

/**
 * An error that ends a daemon at its start does not end one that is running: a stream that was
 * deleted may be created again.
 */
function throwAsTransient(error: unknown): never {
  throw error instanceof UserError ? new Error(error.message, { cause: error }) : error;
}

function incompleteListing(shards: readonly Shard[], hole: HashRangeHole): UserError {
  return new UserError(
    `The stream's listing (${counted(shards.length, "shard")}) does not cover the hash keys from ${hole.fromHashKey} to ${hole.toHashKey}, even after ${LISTING_ATTEMPTS} attempts. ` +
      "Leases made from it would lose their records. Start again when the stream is ACTIVE and no longer being resharded.",
  );
}

function contradictoryListing(children: readonly string[]): Error {
  return new Error(
    `the listing shows ${children.join(", ")} under parents that are still open, so no leases are created from it (set ignoreUnexpectedChildShards = true to continue without these shards)`,
  );
}
