// Carries out what sync.ts decides: lists the stream's shards and makes the leases that are missing. Any worker may do it
// at any time; leases are created only if absent, so that a race costs nothing but a request.

import type { Clock } from "../clock.ts";
import type { Emit } from "../events.ts";
import { UserError } from "../model/errors.ts";
import type { Shard, ShardFilter } from "../model/shard.ts";
import type { HashRangeHole } from "./hashRange.ts";
import type { NewLease } from "./lease.ts";
import { type Persistence, persist } from "./persist.ts";
import type { LeaseSettings } from "./settings.ts";
import { filterFor, firstLeases, missingLeases } from "./sync.ts";
import type { LeaseTable } from "./table.ts";
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
/** DynamoDB takes thousands of writes a second; this many are under way at a time. */
const CREATE_CONCURRENCY = 16;

export class ShardSync {
  readonly #parts: ShardSyncParts;

  constructor(parts: ShardSyncParts) {
    this.#parts = parts;
  }

  /** The first leases of an application. Returns when they are in the table or the signal was aborted. */
  async fillEmptyTable(signal: AbortSignal): Promise<void> {
    const { settings, clock } = this.#parts;
    for (let attempt = 1; !signal.aborted; attempt++) {
      const shards = await this.listShards(filterFor(settings.initialPosition), signal);
      if (!shards) return;
      const first = firstLeases(shards, settings.initialPosition);
      if ("create" in first) return this.#create(shards.length, first.create, signal);
      if (attempt === LISTING_ATTEMPTS) throw incomplete(shards, first.hole);
      await clock.sleep(LISTING_PAUSE_MS, signal);
    }
  }

  /**
   * Leases for shards that no lease leads to. Later again, if the listing contradicts itself. Each is tried once: what is
   * decided now may be wrong in a moment, and the next audit sees what is still missing.
   */
  async fillHoles(tracked: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    const { settings, trouble, clock } = this.#parts;
    for (let attempt = 1; !signal.aborted; attempt++) {
      const shards = await this.listShards(undefined, signal);
      // A stream that lists nothing is being made or deleted: there is nothing to lease.
      if (!shards || shards.length === 0) return;
      const { initialPosition, ignoreUnexpectedChildShards } = settings;
      const missing = missingLeases(shards, tracked, initialPosition, ignoreUnexpectedChildShards);
      if (missing.unexpectedChildren.length === 0 || ignoreUnexpectedChildShards) {
        return this.#create(shards.length, missing.create, signal, "once");
      }
      const work = { service: "kinesis", operation: "ListShards", who: "" } as const;
      trouble.failed(work, contradiction(missing.unexpectedChildren), LISTING_PAUSE_MS);
      trouble.gaveUp(work);
      if (attempt === LISTING_ATTEMPTS) return;
      await clock.sleep(LISTING_PAUSE_MS, signal);
    }
  }

  /** `undefined` when the signal was aborted before an answer came. */
  listShards(filter: ShardFilter, signal: AbortSignal): Promise<readonly Shard[] | undefined> {
    const work = { service: "kinesis", operation: "ListShards", who: "" } as const;
    return persist(work, () => this.#parts.listShards(filter, signal), this.#parts, signal);
  }

  async #create(
    shards: number,
    leases: readonly NewLease[],
    signal: AbortSignal,
    tries: "once" | "untilDone" = "untilDone",
  ): Promise<void> {
    const { table, emit, trouble } = this.#parts;
    const persistence: Persistence = this.#parts;
    let created = 0;
    await inParallel(leases, CREATE_CONCURRENCY, async (lease) => {
      const { shardId, checkpoint } = lease;
      const work = { service: "dynamodb", operation: "create lease", who: shardId } as const;
      const create = () => table.create(lease, signal);
      const result =
        tries === "once"
          ? await create().catch((error: unknown) => trouble.failed(work, error, 0))
          : await persist(work, create, persistence, signal);
      if (tries === "once") trouble.gaveUp(work);
      if (result !== "created") return;
      created++;
      emit({ type: "leaseCreated", shardId, checkpoint });
    });
    if (!signal.aborted) emit({ type: "shardsSynced", shards, created });
  }
}

/** Begins them in order, and has at most `limit` under way. Rejects with the first failure when all under way have ended. */
export async function inParallel<T>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  const workers = Array.from({ length: Math.min(limit, items.length) }, async () => {
    for (const item of queue) await work(item);
  });
  for (const result of await Promise.allSettled(workers)) {
    if (result.status === "rejected") throw result.reason;
  }
}

function incomplete(shards: readonly Shard[], hole: HashRangeHole): UserError {
  return new UserError(
    `The stream's listing (${shards.length} shards) leaves out the hash keys from ${hole.fromHashKey} to ${hole.toHashKey}, also after ${LISTING_ATTEMPTS} attempts: ` +
      "to begin with it would lose their records. Start again when the stream is ACTIVE and no longer being resharded.",
  );
}

function contradiction(children: readonly string[]): Error {
  return new Error(
    `the listing shows ${children.join(", ")} under parents that are still open; no leases are made from it`,
  );
}
