// Slow rounds over the leases, made by one worker of the fleet: the audit for holes and for leases
// that contradict the stream, and the deletion of leases of finished shards. They use the taker's
// last scan. It does not matter for safety which worker makes them, because every write is
// conditional. In addition, each worker audits the table that it finds when it starts, because the
// worker that filled the table may have died before it finished.

import { Latch } from "../latch.ts";
import { compareWithStream, type ListShards } from "./compareWithStream.ts";
import {
  audit,
  type HoleInTable,
  isUnattended,
  leasesWithoutRange,
  type SeenHole,
  unreadShards,
} from "./decisions/audit.ts";
import { childlessLeases, childrenListed, finishedLeases } from "./decisions/cleanup.ts";
import {
  type Contradiction,
  confirmed,
  contradictedRows,
  contradictedTable,
  isAboutAnotherStream,
} from "./decisions/contradictions.ts";
import { trackedShards } from "./decisions/sync.ts";
import type { IsolatedLeases } from "./isolatedLeases.ts";
import { actualOwner, hasEnded, type Lease } from "./lease.ts";
import { retryUntil } from "./retryUntil.ts";
import type { ServiceCall } from "./serviceFailures.ts";
import { LEASE_DEFAULTS } from "./settings.ts";
import type { ShardSync } from "./shardSync.ts";
import type { Surroundings } from "./surroundings.ts";
import type { Scan } from "./table.ts";

export interface HousekeepingParts {
  readonly sync: ShardSync;
  readonly listShards: ListShards;
  readonly isolated: IsolatedLeases;
  /** The leases that the last scan of the table showed. */
  readonly leases: () => readonly Lease[];
  /** Those of them that a live worker renews. */
  readonly renewed: () => readonly Lease[];
}

/**
 * The housekeeper is the worker whose id sorts first among the live owners. While nobody owns a
 * lease, every worker is one.
 *
 * @param renewed leases that are renewed, so that a dead owner is never the housekeeper.
 */
export function isHousekeeper(renewed: readonly Lease[], workerId: string): boolean {
  return renewed.every((lease) => hasEnded(lease) || (actualOwner(lease) ?? workerId) >= workerId);
}

export class Housekeeping {
  readonly #surroundings: Surroundings;
  readonly #parts: HousekeepingParts;
  #seenHole: SeenHole | undefined;
  #contradictions: readonly Contradiction[] = [];
  /** Leases that had ended at the last cleanup. */
  #ended: ReadonlySet<string> = new Set();
  /** The first scan that showed leases; `#begun` is set then. */
  #firstScan: Scan | undefined;
  readonly #begun = new Latch();

  constructor(surroundings: Surroundings, parts: HousekeepingParts) {
    this.#surroundings = surroundings;
    this.#parts = parts;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { settings } = this.#surroundings;
    const intervals = { ...LEASE_DEFAULTS, ...settings };
    await Promise.all([
      this.#auditAtStart(signal),
      this.#every(intervals.auditIntervalMs, signal, () => this.#audit(signal)),
      settings.cleanupLeasesUponShardCompletion &&
        this.#every(intervals.cleanupIntervalMs, signal, () => this.#cleanUp(signal)),
      settings.cleanupLeasesUponShardCompletion &&
        this.#every(intervals.garbageIntervalMs, signal, () => this.#resolveChildless(signal)),
    ]);
  }

  /** The table has leases; `scan` is the first one that showed them. */
  begin(scan: Scan): void {
    this.#firstScan = scan;
    this.#begun.set();
  }

  /**
   * A worker that dies while it fills an empty table leaves holes that no end of a shard will fill.
   * A hole is filled when it is unchanged after a failover time: a live worker would have created
   * or restored a lease by then.
   */
  async #auditAtStart(signal: AbortSignal): Promise<void> {
    const { clock, settings, random } = this.#surroundings;
    const { sync } = this.#parts;
    await this.#begun.wait(signal);
    let before = this.#firstScan && (await this.#holeIn(this.#firstScan, undefined, signal));
    this.#firstScan = undefined;
    while (before) {
      await clock.sleep(settings.failoverTimeMillis * (1 + random() / 2), signal);
      const scan = await this.#scan(signal);
      const now = scan && (await this.#holeIn(scan, before.seen, signal));
      if (now && isUnattended(before, now)) return sync.fillHoles(now.rows, signal);
      before = now;
    }
  }

  async #holeIn(
    { leases, unreadable }: Scan,
    before: SeenHole | undefined,
    signal: AbortSignal,
  ): Promise<HoleInTable | undefined> {
    const needsListing = leasesWithoutRange(leases).length > 0;
    const shards = needsListing ? await this.#parts.sync.listShards(undefined, signal) : [];
    const seen = shards && audit(before, leases, shards);
    return seen && { seen, rows: trackedShards(leases, unreadable) };
  }

  async #every(ms: number, signal: AbortSignal, round: () => Promise<void>): Promise<void> {
    const { clock, workerId } = this.#surroundings;
    for (;;) {
      await clock.sleep(ms, signal);
      if (signal.aborted) return;
      if (isHousekeeper(this.#parts.renewed(), workerId)) await round();
    }
  }

  async #audit(signal: AbortSignal): Promise<void> {
    const { settings } = this.#surroundings;
    const { sync, leases: lastSeen } = this.#parts;
    const leases = lastSeen();
    await this.#compare(leases, signal);
    const unranged = leasesWithoutRange(leases);
    const shards = unranged.length > 0 ? await sync.listShards(undefined, signal) : [];
    if (!shards) return;
    await this.#noteRanges(unranged, shards, signal);
    this.#seenHole = audit(this.#seenHole, leases, shards);
    const confidence = settings.auditConfidence ?? LEASE_DEFAULTS.auditConfidence;
    if (!this.#seenHole || this.#seenHole.times < confidence) return;
    this.#seenHole = undefined;
    // The taker's scan may be old. A lease that was deleted since then, because its shard is
    // finished, must not be created again.
    const now = await this.#scan(signal);
    if (!now || !audit(undefined, now.leases, shards)) return;
    await sync.fillHoles(trackedShards(now.leases, now.unreadable), signal);
    await this.#reportUnread(signal);
  }

  async #noteRanges(
    unranged: readonly Lease[],
    shards: Parameters<typeof audit>[2],
    signal: AbortSignal,
  ): Promise<void> {
    const { table } = this.#surroundings;
    for (const { shardId } of unranged) {
      const range = shards.find((shard) => shard.shardId === shardId)?.hashKeyRange;
      if (!range) continue;
      await this.#retry("note hash keys", shardId, signal, () =>
        table.noteHashKeyRange(shardId, range, signal),
      );
    }
  }

  /** Reports a hole that remains after everything was done to fill it. */
  async #reportUnread(signal: AbortSignal): Promise<void> {
    const now = await this.#scan(signal);
    const shards = now && (await this.#parts.sync.listShards(undefined, signal));
    const hole = shards && audit(undefined, now.leases, shards)?.hole;
    if (!hole) return;
    const shardIds = unreadShards(hole, now.leases, shards);
    this.#surroundings.emit({ type: "shardsUnread", shardIds, ...hole });
  }

  /** Reports a contradiction at every audit that finds it, from the second on. */
  async #compare(leases: readonly Lease[], signal: AbortSignal): Promise<void> {
    const { table, emit, clock } = this.#surroundings;
    const { isolated, listShards } = this.#parts;
    const { shards, found } = await compareWithStream(leases, listShards, clock, signal);
    if (!shards) return;
    const again = confirmed([...this.#contradictions, ...isolated.contradictions], found);
    this.#contradictions = found;
    isolated.replace(leases, again);
    if (again.length === 0) return;
    const { tableName } = table;
    const message = isAboutAnotherStream(leases, shards, again)
      ? contradictedTable(tableName, again).message
      : contradictedRows(tableName, again);
    emit({ type: "leasesContradicted", shardIds: again.map(({ shardId }) => shardId), message });
  }

  async #cleanUp(signal: AbortSignal): Promise<void> {
    const leases = this.#parts.leases();
    const before = this.#ended;
    this.#ended = new Set(leases.filter(hasEnded).map(({ shardId }) => shardId));
    // A delayed request to create a lease would create it again after its deletion. While the row
    // exists such a request has no effect, so the row stays for one more interval.
    for (const lease of finishedLeases(leases).filter(({ shardId }) => before.has(shardId))) {
      const reason = "its shard was processed, and its children have checkpoints";
      await this.#delete(lease, reason, signal);
    }
  }

  async #resolveChildless(signal: AbortSignal): Promise<void> {
    const { table } = this.#surroundings;
    const { sync, leases } = this.#parts;
    const childless = childlessLeases(leases());
    if (childless.length === 0) return;
    const shards = await sync.listShards(undefined, signal);
    if (!shards || shards.length === 0) return;
    for (const lease of childless) {
      const { gone, children } = childrenListed(lease, shards);
      if (gone) await this.#delete(lease, "its shard is beyond the stream's retention", signal);
      else if (children.length > 0) {
        await this.#retry("note children", lease.shardId, signal, () =>
          table.noteChildren(lease.shardId, children, signal),
        );
      }
    }
  }

  async #delete(lease: Lease, reason: string, signal: AbortSignal): Promise<void> {
    const { table, emit } = this.#surroundings;
    const { shardId } = lease;
    const result = await this.#retry("delete lease", shardId, signal, () =>
      table.delete(lease, signal),
    );
    if (result === "written") emit({ type: "leaseDeleted", shardId, reason });
  }

  #scan(signal: AbortSignal): Promise<Scan | undefined> {
    return this.#retry("Scan", undefined, signal, () => this.#surroundings.table.scan(signal));
  }

  #retry<T>(
    operation: string,
    shardId: string | undefined,
    signal: AbortSignal,
    attempt: () => Promise<T>,
  ): Promise<T | undefined> {
    const call: ServiceCall = {
      service: "dynamodb",
      operation,
      ...(shardId !== undefined && { shardId }),
    };
    return retryUntil(call, attempt, this.#surroundings, signal);
  }
}
