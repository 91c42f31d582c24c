// The lease table as an operator sees it: every row, whatever it is, and the two writes that move checkpoints from outside.
// Both fence: they raise the counter and leave nobody as owner, so that who held the lease loses it at its next write.

import type { DynamoDB } from "@aws-sdk/client-dynamodb";
import type { Position } from "../model/position.ts";
import { isConditionFailed, translate } from "./dynamoErrors.ts";
import {
  ATTRIBUTES as A,
  type Item,
  isForeign,
  NotALease,
  newItem,
  parseItem,
} from "./dynamoItem.ts";
import type { Lease, NewLease } from "./lease.ts";
import type { WriteResult } from "./table.ts";

/** A row as it is stored, attribute by attribute with DynamoDB's types. */
export type StoredRow = Item;

export interface LeaseRow {
  readonly type: "lease";
  readonly key: string;
  readonly lease: Lease;
  readonly stored: StoredRow;
}

/** A row of KCL 3.5 that says of itself what it is. */
export interface ForeignRow {
  readonly type: "foreign";
  readonly key: string;
  /** `LEADER`, `WORKER_METRIC_STATS`, `CLIENT_VERSION_MIGRATION`, … */
  readonly entityType: string;
  /** The attributes that are strings or numbers, as text. */
  readonly facts: Readonly<Record<string, string>>;
}

/** A row that is no lease and does not say what else. */
export interface StrangeRow {
  readonly type: "strange";
  readonly key: string;
  readonly problem: string;
}

export type Row = LeaseRow | ForeignRow | StrangeRow;

/** Each call is one attempt and rejects with LeaseTableError. */
export interface LeaseRows {
  readonly tableName: string;
  /** @param consistent costs twice as much, and is never a moment old. */
  scan(signal: AbortSignal, consistent?: boolean): Promise<readonly Row[]>;
  read(key: string, signal: AbortSignal): Promise<Row | undefined>;
  /** Sets the checkpoint of the lease as it was read, and fences whoever holds it. */
  move(lease: Lease, position: Position, signal: AbortSignal): Promise<WriteResult>;
  /** Gives the lease as it was read all that a stored row says, except owner and counter, and fences whoever holds it. */
  putBack(lease: Lease, stored: StoredRow, signal: AbortSignal): Promise<WriteResult>;
  /** Makes a lease that is not there: a new one, or one put back. */
  insert(row: NewLease | StoredRow, signal: AbortSignal): Promise<"created" | "exists">;
}

/** Left out when a row is put back: who held it then does not hold it now. */
const OF_A_TENURE: readonly string[] = [
  A.key,
  A.counter,
  A.owner,
  A.checkpointOwner,
  A.handoverTo,
  A.handoverFrom,
];
/** A row that is made again counts on from so far above where it was, so that no writer of its earlier life fits in. */
const COUNTER_LEAP = 1_000;

export function leaseRows(client: DynamoDB, tableName: string): LeaseRows {
  const TableName = tableName;

  async function call<T>(operation: string, request: () => Promise<T>): Promise<T> {
    try {
      return await request();
    } catch (error) {
      throw translate(operation, tableName, error);
    }
  }

  function update(lease: Lease, change: Change, abortSignal: AbortSignal): Promise<WriteResult> {
    return call("UpdateItem", async () => {
      const request = {
        TableName,
        Key: { [A.key]: { S: lease.shardId } },
        ConditionExpression: `${A.counter} = :c`,
        UpdateExpression: change.update,
        ExpressionAttributeValues: {
          ":c": { N: String(lease.counter) },
          ":next": { N: String(lease.counter + 1) },
          ...change.values,
        },
        ...(change.names && { ExpressionAttributeNames: change.names }),
      };
      return client.updateItem(request, { abortSignal }).then(
        () => "written" as const,
        (error: unknown) => {
          if (isConditionFailed(error)) return "conflict" as const;
          throw error;
        },
      );
    });
  }

  return {
    tableName,

    scan: (abortSignal, ConsistentRead = false) =>
      call("Scan", async () => {
        const rows: Row[] = [];
        let start: Item | undefined;
        do {
          const page = await client.scan(
            { TableName, ConsistentRead, ...(start && { ExclusiveStartKey: start }) },
            { abortSignal },
          );
          rows.push(...(page.Items ?? []).map(toRow));
          start = page.LastEvaluatedKey;
        } while (start);
        return rows;
      }),

    read: (key, abortSignal) =>
      call("GetItem", async () => {
        const request = { TableName, Key: { [A.key]: { S: key } }, ConsistentRead: true };
        const { Item } = await client.getItem(request, { abortSignal });
        return Item && toRow(Item);
      }),

    move: (lease, position, signal) => update(lease, moving(position), signal),
    putBack: (lease, stored, signal) => update(lease, puttingBack(stored), signal),

    insert: (row, abortSignal) =>
      call("PutItem", async () => {
        const request = {
          TableName,
          Item: "shardId" in row ? newItem(row as NewLease) : revived(row as StoredRow),
          ConditionExpression: `attribute_not_exists(${A.key})`,
        };
        return client.putItem(request, { abortSignal }).then(
          () => "created" as const,
          (error: unknown) => {
            if (isConditionFailed(error)) return "exists" as const;
            throw error;
          },
        );
      }),
  };
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

/** Attributes that the row has gained since stay, except a prepared checkpoint. */
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

/** What a stored row is, wherever it was stored. */
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
