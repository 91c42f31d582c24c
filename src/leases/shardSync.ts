// Carries out what sync.ts decides: lists the stream's shards and makes the leases that are missing. Any worker may do it
// at any time; leases are created only if absent, so that a race costs nothing but a request.
//
// A fleet that starts on an empty table would still make each lease once a worker. So whoever makes the oldest shard's lease
// makes the others too; the rest watch, and lend a hand when the table stops growing.

import type { Clock } from "../clock.ts";
import type { Emit } from "../events.ts";
import { inParallel } from "../inParallel.ts";
import { UserError } from "../model/errors.ts";
import type { Shard, ShardFilter } from "../model/shard.ts";
import { counted } from "../plural.ts";
import { within } from "../signals.ts";
import type { HashRangeHole } from "./decisions/hashRangeHole.ts";
import {
  filterFor,
  firstLeases,
  looseEnds,
  missingLeases,
  type Tracked,
  trackedShards,
  unexpectedChildren,
} from "./decisions/sync.ts";
import type { Lease, NewLease } from "./lease.ts";
import { type Persistence, persist } from "./persist.ts";
import type { LeaseSettings } from "./settings.ts";
import { createLease } from "./table/createLease.ts";
import type { LeaseTable, Scan } from "./table.ts";
import type { Trouble } from "./trouble.ts";

export interface ShardSyncParts {
  readonly table: LeaseTable;
  readonly listShards: (filter: ShardFilter, signal: AbortSignal) => Promise<readonly Shard[]>;
  readonly settings: LeaseSettings;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly trouble: Trouble;
  readonly random: () => number;
}

/** A listing can be taken in the middle of a reshard. As Java: three times, a second apart. */
const LISTING_ATTEMPTS = 3;
const LISTING_PAUSE_MS = 1_000;
/** Looking for overdue shards holds up the taking of leases, so it does not wait for a service that is slow. */
const LOOK_LIMIT_MS = 1_000;
/** DynamoDB takes thousands of writes a second; this many are under way at a time. */
const CREATE_CONCURRENCY = 16;

/** The first leases of an application, as this worker would make them. */
interface First {
  readonly leases: readonly NewLease[];
  /** How many of them the table did not show, when it was looked at last. */
  readonly lacking: number;
  /** Monotonic time until which to believe that somebody is making them, unless they become more. */
  readonly giveUpMs: number;
}

export class ShardSync {
  readonly #parts: ShardSyncParts;
  /** `undefined` = the table was not empty when we came, or has them all. */
  #first: First | undefined;
  /** Loose ends for which the listing had nothing that is missing. */
  #lookedInto: ReadonlySet<string> = new Set();

  constructor(parts: ShardSyncParts) {
    this.#parts = parts;
  }

  /**
   * The first leases of an application. Returns when they are in the table, somebody else was seen to make them, or the
   * signal was aborted.
   *
   * @param isAtWork there were leases before: a stream that is missing now is waited for.
   */
  async fillEmptyTable(signal: AbortSignal, isAtWork = false): Promise<void> {
    const { settings, clock } = this.#parts;
    if (this.#first) {
      await this.stillLacking([], signal);
      return;
    }
    for (let attempt = 1; !signal.aborted; attempt++) {
      const shards = await this.#listFirst(signal, isAtWork);
      if (!shards) return;
      const found = firstLeases(shards, settings.initialPosition);
      if ("create" in found) return this.#begin(found.create, signal);
      if (attempt === LISTING_ATTEMPTS) throw incomplete(shards, found.hole);
      await clock.sleep(LISTING_PAUSE_MS, signal);
    }
  }

  /**
   * Whether first leases that we know of are not to be seen yet. Makes them if nobody else seems to.
   *
   * @param leases what a scan of the table showed.
   */
  async stillLacking(leases: readonly Lease[], signal: AbortSignal): Promise<boolean> {
    const { clock, settings, random } = this.#parts;
    const first = this.#first;
    if (!first) return false;
    const seen = new Set(leases.map(({ shardId }) => shardId));
    const lacking = first.leases.filter(({ shardId }) => !seen.has(shardId));
    const nowMs = clock.monotonicMs();
    if (lacking.length === 0) this.#first = undefined;
    else if (lacking.length < first.lacking) {
      const patienceMs = settings.failoverTimeMillis * (0.5 + random() / 2);
      this.#first = { ...first, lacking: lacking.length, giveUpMs: nowMs + patienceMs };
    } else if (nowMs >= first.giveUpMs) {
      this.#first = undefined;
      await this.#create(first.leases.length, lacking, signal);
    }
    return this.#first !== undefined;
  }

  /**
   * Leases for shards that no lease leads to. Later again, if the listing contradicts itself. Each is tried once: what is
   * decided now may be wrong in a moment, and the next audit sees what is still missing. By a look that is older than a lease nothing
   * is made: its shard may have been read to its end since, and its lease been deleted.
   *
   * @param tracked what a look at the table has just shown.
   */
  async fillHoles(tracked: Tracked, signal: AbortSignal): Promise<void> {
    const { settings, trouble, clock } = this.#parts;
    const isFresh = this.#freshness();
    for (let attempt = 1; !signal.aborted; attempt++) {
      const shards = await this.listShards(undefined, signal);
      // A stream that lists nothing is being made or deleted: there is nothing to lease.
      if (!shards || shards.length === 0) return;
      const { initialPosition, ignoreUnexpectedChildShards } = settings;
      const missing = missingLeases(shards, tracked, initialPosition, ignoreUnexpectedChildShards);
      if (missing.unexpectedChildren.length === 0 || ignoreUnexpectedChildShards) {
        await this.#create(shards.length, missing.create, signal, { isFresh });
        return;
      }
      const work = { service: "kinesis", operation: "ListShards", who: "" } as const;
      trouble.failed(work, contradiction(missing.unexpectedChildren), LISTING_PAUSE_MS);
      trouble.gaveUp(work);
      if (attempt === LISTING_ATTEMPTS) return;
      await clock.sleep(LISTING_PAUSE_MS, signal);
    }
  }

  /**
   * Leases for shards that are overdue, before anybody takes what comes after them. What cannot be looked at now is looked at
   * again with the next scan.
   *
   * @param listed a listing of this moment, if there is one; else the stream is asked where the rows have loose ends.
   * @returns whether there are new leases.
   */
  async createOverdue(
    { leases, unreadable }: Scan,
    listed: readonly Shard[] | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    const isFresh = this.#freshness();
    const tracked = trackedShards(leases, unreadable);
    const loose = looseEnds(leases, new Set(tracked.keys()));
    const isNews = loose.some((shardId) => !this.#lookedInto.has(shardId));
    const shards = listed ?? (isNews ? await this.#look(signal) : undefined);
    if (!shards || shards.length === 0) return false;
    const { initialPosition, ignoreUnexpectedChildShards } = this.#parts.settings;
    const { overdue } = missingLeases(
      shards,
      tracked,
      initialPosition,
      ignoreUnexpectedChildShards,
    );
    if (overdue.length > 0) return this.#create(shards.length, overdue, signal, { isFresh });
    this.#lookedInto = new Set(loose);
    return false;
  }

  /** What the stream lists, if it answers at once. What is wrong with it is reported by whoever reads it. */
  async #look(signal: AbortSignal): Promise<readonly Shard[] | undefined> {
    const { listShards, clock } = this.#parts;
    const list = (limited: AbortSignal) => listShards(undefined, limited);
    return within(LOOK_LIMIT_MS, clock, signal, list).catch(() => undefined);
  }

  /** Until when a look at the table that began now may be acted on. */
  #freshness(): () => boolean {
    const { clock, settings } = this.#parts;
    const untilMs = clock.monotonicMs() + settings.failoverTimeMillis;
    return () => clock.monotonicMs() < untilMs;
  }

  /**
   * For an application that is at work: a stream that is missing is waited for, and reported meanwhile.
   *
   * @returns `undefined` when the signal was aborted before an answer came.
   */
  listShards(filter: ShardFilter, signal: AbortSignal): Promise<readonly Shard[] | undefined> {
    const work = { service: "kinesis", operation: "ListShards", who: "" } as const;
    const list = () => this.#parts.listShards(filter, signal).catch(asTransient);
    return persist(work, list, this.#parts, signal);
  }

  /**
   * What an empty table is filled from. A child whose parent is listed as open gets no lease from here, where it could be one
   * at LATEST: the end of its parent makes one at its first record.
   */
  #listFirst(signal: AbortSignal, isAtWork: boolean): Promise<readonly Shard[] | undefined> {
    const { initialPosition, ignoreUnexpectedChildShards } = this.#parts.settings;
    const work = { service: "kinesis", operation: "ListShards", who: "" } as const;
    const list = async () => {
      const listed = this.#parts.listShards(filterFor(initialPosition), signal);
      const shards = await (isAtWork ? listed.catch(asTransient) : listed);
      const children = unexpectedChildren(shards);
      if (children.length > 0 && !ignoreUnexpectedChildShards) throw contradiction(children);
      return shards.filter(({ shardId }) => !children.includes(shardId));
    };
    return persist(work, list, this.#parts, signal);
  }

  async #begin(leases: readonly NewLease[], signal: AbortSignal): Promise<void> {
    const [oldest, ...others] = leases;
    if (!oldest) return;
    const { clock, settings, emit } = this.#parts;
    const work = { service: "dynamodb", operation: "create lease", who: oldest.shardId } as const;
    const attempt = () => createLease(oldest, this.#parts.table, signal);
    const result = await persist(work, attempt, this.#parts, signal);
    if (result === "created") {
      emit({ type: "leaseCreated", shardId: oldest.shardId, checkpoint: oldest.checkpoint });
      await this.#create(leases.length, others, signal, { before: 1 });
    }
    const giveUpMs = clock.monotonicMs() + settings.failoverTimeMillis;
    this.#first = { leases, lacking: leases.length, giveUpMs };
  }

  /**
   * @param before how many were created already.
   * @param isFresh each is tried once, as long as this says so; absent: until done.
   * @returns whether there are new leases.
   */
  async #create(
    shards: number,
    leases: readonly NewLease[],
    signal: AbortSignal,
    { before = 0, isFresh }: { readonly before?: number; readonly isFresh?: () => boolean } = {},
  ): Promise<boolean> {
    const { table, emit, trouble } = this.#parts;
    const persistence: Persistence = this.#parts;
    let created = before;
    await inParallel(leases, CREATE_CONCURRENCY, async (lease) => {
      const { shardId, checkpoint } = lease;
      const work = { service: "dynamodb", operation: "create lease", who: shardId } as const;
      const create = () => createLease(lease, table, signal);
      if (isFresh && !isFresh()) return;
      const result = isFresh
        ? await create().catch((error: unknown) => trouble.failed(work, error, 0))
        : await persist(work, create, persistence, signal);
      if (isFresh) trouble.gaveUp(work);
      if (result !== "created") return;
      created++;
      emit({ type: "leaseCreated", shardId, checkpoint });
    });
    if (!signal.aborted) emit({ type: "shardsSynced", shards, created });
    return created > 0;
  }
}

/** What ends a daemon that cannot begin is no reason to end one that works: the stream may come back. */
function asTransient(error: unknown): never {
  throw error instanceof UserError ? new Error(error.message, { cause: error }) : error;
}

function incomplete(shards: readonly Shard[], hole: HashRangeHole): UserError {
  return new UserError(
    `The stream's listing (${counted(shards.length, "shard")}) leaves out the hash keys from ${hole.fromHashKey} to ${hole.toHashKey}, also after ${LISTING_ATTEMPTS} attempts: ` +
      "to begin with it would lose their records. Start again when the stream is ACTIVE and no longer being resharded.",
  );
}

function contradiction(children: readonly string[]): Error {
  return new Error(
    `the listing shows ${children.join(", ")} under parents that are still open; no leases are made from it (ignoreUnexpectedChildShards = true goes on without them)`,
  );
}
