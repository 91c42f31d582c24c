// The lease table for the operator's commands: every row, whatever it is, and the writes that move
// checkpoints. Every write fences: it raises the counter and removes the owner, so that a worker
// that holds the lease loses it at its next write.

import type { Position } from "../../model/position.ts";
import { COUNTER_LEAP, type Lease, type NewLease } from "../lease.ts";
import type { WriteResult } from "../table.ts";
import {
  ATTRIBUTES as A,
  type Item,
  isForeign,
  NotALease,
  newItem,
  parseItem,
} from "./dynamoItem.ts";
import { asSeen, raised } from "./leaseChanges.ts";
import type { Change, RowStore } from "./rowStore.ts";

/** A row as it is stored: its attributes with DynamoDB's types. */
export type StoredRow = Item;

export interface LeaseRow {
  readonly type: "lease";
  readonly key: string;
  readonly lease: Lease;
  readonly stored: StoredRow;
}

/** A row of KCL 3.5 that is not a lease and carries its type. */
export interface ForeignRow {
  readonly type: "foreign";
  readonly key: string;
  /** `LEADER`, `WORKER_METRIC_STATS`, `CLIENT_VERSION_MIGRATION`, … */
  readonly entityType: string;
  /** The attributes that are strings or numbers, as text. */
  readonly facts: Readonly<Record<string, string>>;
}

/** A row that is not a lease and carries no type. */
export interface StrangeRow {
  readonly type: "strange";
  readonly key: string;
  readonly problem: string;
}

export type Row = LeaseRow | ForeignRow | StrangeRow;

/** Each call is one attempt and rejects with LeaseTableError. */
export interface LeaseRows {
  readonly tableName: string;
  /** @param consistent a strongly consistent scan, which costs twice as much. */
  scan(signal: AbortSignal, consistent?: boolean): Promise<readonly Row[]>;
  read(key: string, signal: AbortSignal): Promise<Row | undefined>;
  /** Sets the checkpoint of the lease as it was read, and fences its holder. */
  move(lease: Lease, position: Position, signal: AbortSignal): Promise<WriteResult>;
  /**
   * Copies a stored row, except its owner and counter, into the lease as it was read, and fences
   * its holder.
   */
  putBack(lease: Lease, stored: StoredRow, signal: AbortSignal): Promise<WriteResult>;
  /** Replaces the lease as it was read by a new one, and fences its holder. */
  replace(lease: Lease, by: NewLease, signal: AbortSignal): Promise<WriteResult>;
  /** Deletes the lease as it was read. */
  remove(lease: Lease, signal: AbortSignal): Promise<WriteResult>;
  /** Creates the row of a new lease, or a stored row, if there is none with its key. */
  insert(row: NewLease | StoredRow, signal: AbortSignal): Promise<"created" | "exists">;
}

const HOLDERS = [A.owner, A.checkpointOwner, A.handoverTo, A.handoverFrom] as const;
/** Not copied when a row is put back: its former holder does not hold the lease now. */
const OF_A_TENURE: readonly string[] = [A.key, A.counter, ...HOLDERS];
/** A checkpoint that was prepared and not made. */
const PREPARED = [A.pending, A.pendingSubSequence, A.pendingState] as const;

export function leaseRows(store: RowStore): LeaseRows {
  const update = (lease: Lease, change: Omit<Change, "when">, signal: AbortSignal) => {
    const set = { ...change.set, ...raised(lease) };
    return store.update(lease.shardId, { ...change, set, when: asSeen(lease) }, signal);
  };
  return {
    tableName: store.name,
    scan: async (signal, consistent) => (await store.scan(signal, consistent)).map(toRow),
    read: async (key, signal) => {
      const item = await store.get(key, signal);
      return item && toRow(item);
    },
    move: (lease, position, signal) => update(lease, moving(position), signal),
    putBack: (lease, stored, signal) => update(lease, puttingBack(stored), signal),
    replace: (lease, by, signal) =>
      store.replace({ ...newItem(by), ...raised(lease) }, asSeen(lease), signal),
    remove: (lease, signal) => store.delete(lease.shardId, asSeen(lease), signal),
    insert: (row, signal) =>
      store.insert(A.key in row ? revived(row as StoredRow) : newItem(row as NewLease), signal),
  };
}

function moving({ sequenceNumber, subSequenceNumber }: Position): Omit<Change, "when"> {
  return {
    set: {
      [A.checkpoint]: { S: sequenceNumber },
      [A.subSequence]: { N: String(subSequenceNumber) },
      [A.switches]: { N: "0" },
    },
    remove: [...HOLDERS, ...PREPARED],
  };
}

/** Keeps attributes that the row gained later, except a prepared checkpoint. */
function puttingBack(stored: StoredRow): Omit<Change, "when"> {
  const kept = Object.entries(stored).filter(([name]) => !OF_A_TENURE.includes(name));
  return {
    set: Object.fromEntries(kept),
    remove: [...HOLDERS, ...PREPARED.filter((name) => !stored[name])],
  };
}

function revived(stored: StoredRow): Item {
  const item = { ...stored };
  for (const name of HOLDERS) delete item[name];
  return { ...item, [A.counter]: { N: String(Number(stored[A.counter]?.N ?? 0) + COUNTER_LEAP) } };
}

/** Classifies a stored row, from the table or from a backup. */
export function toRow(stored: StoredRow): Row {
  const key = stored[A.key]?.S ?? "";
  if (isForeign(stored)) {
    const facts = Object.entries(stored).flatMap(([name, value]) => {
      const text = value.S ?? value.N;
      return text === undefined ? [] : [[name, text] as const];
    });
    const entityType = stored[A.entityType]?.S ?? "";
    return { type: "foreign", key, entityType, facts: Object.fromEntries(facts) };
  }
  try {
    return { type: "lease", key, lease: parseItem(stored), stored };
  } catch (error) {
    if (error instanceof NotALease) return { type: "strange", key, problem: error.message };
    throw error;
  }
}
