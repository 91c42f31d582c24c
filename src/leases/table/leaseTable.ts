// The lease table on any store of rows. leaseChanges.ts has the conditions that keep leases
// exclusive.

import type { FleetRow } from "../fleetRow.ts";
import { parseFleetRow } from "../kcl3/fleetRows.ts";
import { COUNTER_LEAP, hasEnded, type Lease } from "../lease.ts";
import type { KeyMode } from "../leaseKey.ts";
import type { LeaseTable, Scan, UnreadableRow } from "../table.ts";
import { unreadableRow } from "./dynamoErrors.ts";
import {
  ATTRIBUTES as A,
  type Item,
  isForeign,
  NotALease,
  newItem,
  parseItem,
} from "./dynamoItem.ts";
import {
  checkpointing,
  handingOver,
  notingChildren,
  notingHashKeyRange,
  releasing,
  renewing,
  requesting,
  taking,
  withdrawing,
} from "./leaseChanges.ts";
import type { Change, RowStore } from "./rowStore.ts";

/** @param scan reads all rows; the store's own scan when absent. */
export function leaseTable(
  store: RowStore,
  mode: KeyMode,
  ensure: LeaseTable["ensure"],
  scan: (signal: AbortSignal) => Promise<readonly Item[]> = (signal) => store.scan(signal),
): LeaseTable {
  const update = (shardId: string, change: Change, signal: AbortSignal) =>
    store.update(shardId, change, signal);
  return {
    tableName: store.name,
    ensure,
    scan: async (signal) => classify(store.name, mode, await scan(signal)),
    read: (shardId, signal) => readLease(store, mode, shardId, signal),

    create: (lease, signal) => store.insert(newItem(lease), signal),
    putBack: (lease, signal) => {
      const counter = { N: String(lease.counter + COUNTER_LEAP) };
      return store.insert({ ...newItem(lease), [A.counter]: counter }, signal);
    },

    take: (lease, workerId, signal) => update(lease.shardId, taking(lease, workerId), signal),
    renew: (lease, signal, throughputKBps) =>
      update(lease.shardId, renewing(lease, throughputKBps), signal),
    checkpoint: (lease, position, signal) =>
      update(lease.shardId, checkpointing(lease, position), signal),
    release: (lease, signal) => update(lease.shardId, releasing(lease), signal),
    handOver: (lease, signal) => update(lease.shardId, handingOver(lease), signal),
    requestHandover: (lease, workerId, signal) =>
      update(lease.shardId, requesting(lease, workerId), signal),
    withdrawRequest: (shardId, workerId, signal) => update(shardId, withdrawing(workerId), signal),
    noteChildren: (shardId, childShardIds, signal) =>
      update(shardId, notingChildren(childShardIds), signal),
    noteHashKeyRange: (shardId, range, signal) =>
      update(shardId, notingHashKeyRange(range), signal),

    delete: (lease, signal) => {
      if (!hasEnded(lease)) throw new Error(`lease ${lease.shardId} has not ended`);
      return store.delete(lease.shardId, { [A.checkpoint]: { S: "SHARD_END" } }, signal);
    },
  };
}

async function readLease(
  store: RowStore,
  mode: KeyMode,
  shardId: string,
  signal: AbortSignal,
): Promise<Lease | undefined> {
  const item = await store.get(shardId, signal);
  try {
    return item && !isForeign(item) ? parseItem(item, mode) : undefined;
  } catch (error) {
    throw error instanceof NotALease ? unreadableRow(store.name, error) : error;
  }
}

function classify(tableName: string, mode: KeyMode, items: readonly Item[]): Scan {
  const leases: Lease[] = [];
  const unreadable: UnreadableRow[] = [];
  const fleet: FleetRow[] = [];
  for (const item of items) {
    if (isForeign(item)) {
      const row = parseFleetRow(item[A.key]?.S ?? "", item);
      if (row) fleet.push(row);
      continue;
    }
    try {
      leases.push(parseItem(item, mode));
    } catch (error) {
      if (!(error instanceof NotALease)) throw error;
      const { shardId, mode: other } = error;
      unreadable.push({
        shardId,
        error: unreadableRow(tableName, error),
        ...(other !== undefined && { mode: other }),
      });
    }
  }
  return { leases, unreadable, fleet };
}
