// Two slow rounds over the leases, by one worker of the fleet: the audit for holes, and the deletion of leases of
// finished shards. They look at the taker's last scan; who does them matters little, as every write is conditional.
// Beside them each worker audits the table that it finds when it comes: its filler may have died before its time.

import type { Clock } from "../clock.ts";
import type { Emit } from "../events.ts";
import type { Shard, ShardFilter } from "../model/shard.ts";
import { anyAborted, sharedController } from "../signals.ts";
import {
  audit,
  type HoleInTable,
  isLeftAlone,
  leasesWithoutRange,
  type Suspicion,
  unreadShards,
} from "./decisions/audit.ts";
import { childlessLeases, childrenListed, finishedLeases } from "./decisions/cleanup.ts";
import {
  type Contradiction,
  confirmed,
  contradicted,
  contradictedRows,
  isAboutAnotherStream,
} from "./decisions/contradictions.ts";
import { trackedShards } from "./decisions/sync.ts";
import { actualOwner, hasEnded, type Lease } from "./lease.ts";
import { persist } from "./persist.ts";
import type { SetAside } from "./setAside.ts";
import { LEASE_DEFAULTS, type LeaseSettings } from "./settings.ts";
import type { ShardSync } from "./shardSync.ts";
import { compare } from "./streamCheck.ts";
import type { LeaseTable, Scan } from "./table.ts";
import type { Trouble } from "./trouble.ts";

export interface HousekeepingParts {
  readonly table: LeaseTable;
  readonly workerId: string;
  readonly settings: LeaseSettings;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly trouble: Trouble;
  readonly random: () => number;
  readonly sync: ShardSync;
  readonly listShards: (filter: ShardFilter, signal: AbortSignal) => Promise<readonly Shard[]>;
  /** What the last scan of the table showed. */
  readonly leases: () => readonly Lease[];
  /** Those of them that somebody renews. */
  readonly renewed: () => readonly Lease[];
  readonly setAside: SetAside;
}

/**
 * The worker whose name comes first among the live owners. While nobody owns anything everybody is.
 *
 * @param renewed leases that somebody renews: a dead owner, whose leases nobody may take, keeps no house.
 */
export function isHousekeeper(renewed: readonly Lease[], workerId: string): boolean {
  return renewed.every((lease) => hasEnded(lease) || (actualOwner(lease) ?? workerId) >= workerId);
}

export class Housekeeping {
  readonly #parts: HousekeepingParts;
  #suspicion: Suspicion | undefined;
  #contradictions: readonly Contradiction[] = [];
  /** Leases that had ended at the last cleanup. */
  #ended: ReadonlySet<string> = new Set();
  /** What this worker saw first of a table that has leases in it; `#begun` is aborted then. */
  #firstScan: Scan | undefined;
  readonly #begun = sharedController();

  constructor(parts: HousekeepingParts) {
    this.#parts = parts;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { settings } = this.#parts;
    const intervals = { ...LEASE_DEFAULTS, ...settings };
    await Promise.all([
      this.#auditAtStart(signal),
      this.#every(intervals.auditIntervalMs, signal, () => this.#audit(signal)),
      settings.cleanupLeasesUponShardCompletion &&
        this.#every(intervals.cleanupIntervalMs, signal, () => this.#cleanUp(signal)),
      settings.cleanupLeasesUponShardCompletion &&
        this.#every(intervals.garbageIntervalMs, signal, () => this.#clearGarbage(signal)),
    ]);
  }

  /** There are leases, and this is how they look. */
  begin(scan: Scan): void {
    this.#firstScan = scan;
    this.#begun.abort();
  }

  /**
   * A worker that dies while it fills an empty table leaves holes that no end of a shard will fill. They are believed when they
   * are still the same after a failover time: nobody who lives makes no lease, or puts none back, for so long.
   */
  async #auditAtStart(signal: AbortSignal): Promise<void> {
    const { clock, settings, random, sync, table } = this.#parts;
    await anyAborted(this.#begun.signal, signal);
    let before = this.#firstScan && (await this.#holeIn(this.#firstScan, undefined, signal));
    this.#firstScan = undefined;
    while (before) {
      await clock.sleep(settings.failoverTimeMillis * (1 + random() / 2), signal);
      const scan = await this.#write("Scan", "", signal, () => table.scan(signal));
      const now = scan && (await this.#holeIn(scan, before.suspicion, signal));
      if (now && isLeftAlone(before, now)) return sync.fillHoles(now.rows, signal);
      before = now;
    }
  }

  async #holeIn(
    { leases, unreadable }: Scan,
    before: Suspicion | undefined,
    signal: AbortSignal,
  ): Promise<HoleInTable | undefined> {
    const unranged = leasesWithoutRange(leases).length > 0;
    const shards = unranged ? await this.#parts.sync.listShards(undefined, signal) : [];
    const suspicion = shards && audit(before, leases, shards);
    return suspicion && { suspicion, rows: trackedShards(leases, unreadable) };
  }

  async #every(ms: number, signal: AbortSignal, round: () => Promise<void>): Promise<void> {
    const { clock, renewed, workerId } = this.#parts;
    for (;;) {
      await clock.sleep(ms, signal);
      if (signal.aborted) return;
      if (isHousekeeper(renewed(), workerId)) await round();
    }
  }

  async #audit(signal: AbortSignal): Promise<void> {
    const leases = this.#parts.leases();
    await this.#compareWithStream(leases, signal);
    const { sync, settings } = this.#parts;
    const unranged = leasesWithoutRange(leases);
    const shards = unranged.length > 0 ? await sync.listShards(undefined, signal) : [];
    if (!shards) return;
    for (const { shardId } of unranged) {
      const range = shards.find((shard) => shard.shardId === shardId)?.hashKeyRange;
      if (!range) continue;
      await this.#write("note hash keys", shardId, signal, () =>
        this.#parts.table.noteHashKeyRange(shardId, range, signal),
      );
    }
    this.#suspicion = audit(this.#suspicion, leases, shards);
    const confidence = settings.auditConfidence ?? LEASE_DEFAULTS.auditConfidence;
    if (!this.#suspicion || this.#suspicion.times < confidence) return;
    this.#suspicion = undefined;
    // The taker's scan may be old. A lease that was deleted since, because its shard is finished, must not come back.
    const now = await this.#write("Scan", "", signal, () => this.#parts.table.scan(signal));
    if (!now || !audit(undefined, now.leases, shards)) return;
    await sync.fillHoles(trackedShards(now.leases, now.unreadable), signal);
    await this.#reportUnread(signal);
  }

  /** A hole that is there after all was done that can be done. */
  async #reportUnread(signal: AbortSignal): Promise<void> {
    const { sync, table, emit } = this.#parts;
    const now = await this.#write("Scan", "", signal, () => table.scan(signal));
    const shards = now && (await sync.listShards(undefined, signal));
    const hole = shards && audit(undefined, now.leases, shards)?.hole;
    if (!hole) return;
    emit({ type: "shardsUnread", shardIds: unreadShards(hole, now.leases, shards), ...hole });
  }

  /** Logged with every audit from the second on that finds it. */
  async #compareWithStream(leases: readonly Lease[], signal: AbortSignal): Promise<void> {
    const { setAside, table, emit } = this.#parts;
    const { shards, found } = await compare(leases, this.#parts, signal);
    if (!shards) return;
    const again = confirmed([...this.#contradictions, ...setAside.contradictions], found);
    this.#contradictions = found;
    setAside.put(leases, again);
    if (again.length === 0) return;
    const { tableName } = table;
    const message = isAboutAnotherStream(leases, shards, again)
      ? contradicted(tableName, again).message
      : contradictedRows(tableName, again);
    emit({ type: "leasesContradicted", shardIds: again.map(({ shardId }) => shardId), message });
  }

  async #cleanUp(signal: AbortSignal): Promise<void> {
    const leases = this.#parts.leases();
    const before = this.#ended;
    this.#ended = new Set(leases.filter(hasEnded).map(({ shardId }) => shardId));
    // A request to make such a lease may still be under way, and would bring it back: only its row keeps that from taking effect.
    for (const lease of finishedLeases(leases).filter(({ shardId }) => before.has(shardId))) {
      await this.#delete(
        lease,
        "its shard was processed, and so were its children's beginnings",
        signal,
      );
    }
  }

  async #clearGarbage(signal: AbortSignal): Promise<void> {
    const { sync, table, leases } = this.#parts;
    const childless = childlessLeases(leases());
    if (childless.length === 0) return;
    const shards = await sync.listShards(undefined, signal);
    if (!shards || shards.length === 0) return;
    for (const lease of childless) {
      const { gone, children } = childrenListed(lease, shards);
      if (gone) await this.#delete(lease, "its shard is beyond the stream's retention", signal);
      else if (children.length > 0) {
        await this.#write("note children", lease.shardId, signal, () =>
          table.noteChildren(lease.shardId, children, signal),
        );
      }
    }
  }

  async #delete(lease: Lease, reason: string, signal: AbortSignal): Promise<void> {
    const { table, emit } = this.#parts;
    const { shardId } = lease;
    const result = await this.#write("delete lease", shardId, signal, () =>
      table.delete(lease, signal),
    );
    if (result === "written") emit({ type: "leaseDeleted", shardId, reason });
  }

  #write<T>(operation: string, who: string, signal: AbortSignal, attempt: () => Promise<T>) {
    return persist({ service: "dynamodb", operation, who }, attempt, this.#parts, signal);
  }
}
