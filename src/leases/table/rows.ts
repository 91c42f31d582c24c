// The lease table for the operator's commands: every row, whatever it is, and the writes that move
// checkpoints. Every write fences: it raises the counter and removes the owner, so that a worker
// that holds the lease loses it at its next write.

import type { DynamoDB } from "@aws-sdk/client-dynamodb";
import type { Position } from "../../model/position.ts";
import { COUNTER_LEAP, type Lease, type NewLease } from "../lease.ts";
import type { WriteResult } from "../table.ts";
import { allPages, call, conditional, insert } from "./dynamoCalls.ts";
import {
  ATTRIBUTES as A,
  type Item,
  isForeign,
  NotALease,
  newItem,
  parseItem,
} from "./dynamoItem.ts";

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

/** Not copied when a row is put back: its former holder does not hold the lease now. */
const OF_A_TENURE: readonly string[] = [
  A.key,
  A.counter,
  A.owner,
  A.checkpointOwner,
  A.handoverTo,
  A.handoverFrom,
];

export function leaseRows(client: DynamoDB, tableName: string): LeaseRows {
  const TableName = tableName;

  function update(lease: Lease, change: Change, abortSignal: AbortSignal): Promise<WriteResult> {
    const { when, values } = unchanged(lease);
    const next = { ":next": { N: String(lease.counter + 1) } };
    const request = {
      TableName,
      Key: { [A.key]: { S: lease.shardId } },
      ConditionExpression: when,
      UpdateExpression: change.update,
      ExpressionAttributeValues: { ...values, ...next, ...change.values },
      ...(change.names && { ExpressionAttributeNames: change.names }),
    };
    return conditional("UpdateItem", TableName, () => client.updateItem(request, { abortSignal }));
  }

  return {
    tableName,

    scan: (abortSignal, ConsistentRead = false) =>
      call("Scan", TableName, async () => {
        const pages = await allPages((start) =>
          client.scan({ TableName, ConsistentRead, ...start }, { abortSignal }),
        );
        return pages.flat().map(toRow);
      }),

    read: (key, abortSignal) =>
      call("GetItem", TableName, async () => {
        const request = { TableName, Key: { [A.key]: { S: key } }, ConsistentRead: true };
        const { Item } = await client.getItem(request, { abortSignal });
        return Item && toRow(Item);
      }),

    move: (lease, position, signal) => update(lease, moving(position), signal),
    putBack: (lease, stored, signal) => update(lease, puttingBack(stored), signal),

    replace: (lease, by, abortSignal) => {
      const { when, values } = unchanged(lease);
      const request = {
        TableName,
        Item: { ...newItem(by), [A.counter]: { N: String(lease.counter + 1) } },
        ConditionExpression: when,
        ExpressionAttributeValues: values,
      };
      return conditional("PutItem", TableName, () => client.putItem(request, { abortSignal }));
    },

    remove: (lease, abortSignal) => {
      const { when, values } = unchanged(lease);
      const request = {
        TableName,
        Key: { [A.key]: { S: lease.shardId } },
        ConditionExpression: when,
        ExpressionAttributeValues: values,
      };
      return conditional("DeleteItem", TableName, () =>
        client.deleteItem(request, { abortSignal }),
      );
    },

    insert: (row, signal) => {
      const item = "shardId" in row ? newItem(row as NewLease) : revived(row as StoredRow);
      return insert(client, TableName, item, signal);
    },
  };
}

/** The condition that nobody has written to the lease since it was read. */
function unchanged({ counter }: Lease) {
  return { when: `${A.counter} = :c`, values: { ":c": { N: String(counter) } } };
}

/** An update in expression syntax; `:next` is the raised counter. */
interface Change {
  readonly update: string;
  readonly values: Item;
  readonly names?: Record<string, string>;
}

function moving({ sequenceNumber, subSequenceNumber }: Position): Change {
  return {
    update:
      `SET ${A.counter} = :next, ${A.checkpoint} = :at, ${A.subSequence} = :sub, ${A.switches} = :none` +
      ` REMOVE ${A.owner}, ${A.checkpointOwner}, ${A.handoverTo}, ${A.handoverFrom}, ${A.pending}, ${A.pendingSubSequence}, ${A.pendingState}`,
    values: {
      ":at": { S: sequenceNumber },
      ":sub": { N: String(subSequenceNumber) },
      ":none": { N: "0" },
    },
  };
}

/** Keeps attributes that the row gained later, except a prepared checkpoint. */
function puttingBack(stored: StoredRow): Change {
  const kept = Object.entries(stored).filter(([name]) => !OF_A_TENURE.includes(name));
  const gone = [A.pending, A.pendingSubSequence, A.pendingState].filter((name) => !stored[name]);
  return {
    update:
      `SET ${[`${A.counter} = :next`, ...kept.map((_, i) => `#a${i} = :a${i}`)].join(", ")}` +
      ` REMOVE ${[A.owner, A.checkpointOwner, A.handoverTo, A.handoverFrom, ...gone].join(", ")}`,
    values: Object.fromEntries(kept.map(([, value], i) => [`:a${i}`, value])),
    names: Object.fromEntries(kept.map(([name], i) => [`#a${i}`, name])),
  };
}

function revived(stored: StoredRow): Item {
  const item = { ...stored };
  for (const name of [A.owner, A.checkpointOwner, A.handoverTo, A.handoverFrom]) delete item[name];
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
