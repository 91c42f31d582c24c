// The lease table in DynamoDB: each operation is one request with the condition that keeps leases exclusive.
// The counter is the fencing token: whoever writes names the counter that he has seen, and raises it by one.

import type { DynamoDB } from "@aws-sdk/client-dynamodb";
import type { Clock } from "../clock.ts";
import { isConditionFailed, translate, unreadableRow } from "./dynamoErrors.ts";
import {
  ATTRIBUTES as A,
  type Item,
  isForeign,
  NotALease,
  newItem,
  parseItem,
} from "./dynamoItem.ts";
import { ensureTable, type TableOptions } from "./dynamoSchema.ts";
import { actualOwner, hasEnded, type Lease } from "./lease.ts";
import type { LeaseTable, Scan, UnreadableRow, WriteResult } from "./table.ts";

type UpdateRequest = Parameters<DynamoDB["updateItem"]>[0];

/** An update in expression syntax; `:c` and `:next` are the counter as seen and as written. */
interface Change {
  readonly when: string;
  readonly update: string;
  readonly values?: Item;
}

export function dynamoLeaseTable(
  client: DynamoDB,
  options: TableOptions,
  clock: Clock,
): LeaseTable {
  const TableName = options.tableName;

  async function call<T>(operation: string, request: () => Promise<T>): Promise<T> {
    try {
      return await request();
    } catch (error) {
      throw translate(operation, TableName, error);
    }
  }

  function conditional(operation: string, request: () => Promise<unknown>): Promise<WriteResult> {
    return call(operation, async () => {
      try {
        await request();
        return "written";
      } catch (error) {
        if (isConditionFailed(error)) return "conflict";
        throw error;
      }
    });
  }

  function update(
    shardId: string,
    { when, update, values }: Change,
    abortSignal: AbortSignal,
  ): Promise<WriteResult> {
    const request: UpdateRequest = {
      TableName,
      Key: { [A.key]: { S: shardId } },
      ConditionExpression: when,
      UpdateExpression: update,
      ...(values && { ExpressionAttributeValues: values }),
    };
    return conditional("UpdateItem", () => client.updateItem(request, { abortSignal }));
  }

  return {
    tableName: TableName,

    ensure: (signal) => call("CreateTable", () => ensureTable(client, options, clock, signal)),

    scan: (abortSignal) =>
      call("Scan", async () => {
        const items: Item[] = [];
        let start: Item | undefined;
        do {
          const page = await client.scan(
            { TableName, ...(start && { ExclusiveStartKey: start }) },
            { abortSignal },
          );
          items.push(...(page.Items ?? []));
          start = page.LastEvaluatedKey;
        } while (start);
        return sortOut(TableName, items);
      }),

    read: (shardId, abortSignal) =>
      call("GetItem", async () => {
        const { Item } = await client.getItem(
          { TableName, Key: { [A.key]: { S: shardId } }, ConsistentRead: true },
          { abortSignal },
        );
        return Item && !isForeign(Item) ? parseItem(Item) : undefined;
      }),

    create: async (lease, abortSignal) => {
      const result = await conditional("PutItem", () =>
        client.putItem(
          {
            TableName,
            Item: newItem(lease),
            ConditionExpression: `attribute_not_exists(${A.key})`,
          },
          { abortSignal },
        ),
      );
      return result === "written" ? "created" : "exists";
    },

    take: (lease, workerId, signal) => update(lease.shardId, taking(lease, workerId), signal),
    renew: (lease, signal) => update(lease.shardId, renewing(lease), signal),
    checkpoint: (lease, position, signal) =>
      update(
        lease.shardId,
        {
          when: `${A.counter} = :c`,
          update:
            `SET ${A.counter} = :next, ${A.checkpoint} = :at, ${A.subSequence} = :sub, ${A.switches} = :none` +
            ` REMOVE ${A.pending}, ${A.pendingSubSequence}, ${A.pendingState}`,
          values: {
            ...counters(lease),
            ":at": { S: position.sequenceNumber },
            ":sub": { N: String(position.subSequenceNumber) },
            ":none": { N: "0" },
          },
        },
        signal,
      ),
    release: (lease, signal) => update(lease.shardId, releasing(lease), signal),

    noteChildren: (shardId, childShardIds, signal) =>
      update(
        shardId,
        {
          when: `attribute_exists(${A.key})`,
          update: `SET ${A.children} = :children`,
          values: { ":children": { SS: [...childShardIds] } },
        },
        signal,
      ),

    noteHashKeyRange: (shardId, { startingHashKey, endingHashKey }, signal) =>
      update(
        shardId,
        {
          when: `attribute_exists(${A.key})`,
          update: `SET ${A.startingHashKey} = :start, ${A.endingHashKey} = :end`,
          values: { ":start": { S: startingHashKey }, ":end": { S: endingHashKey } },
        },
        signal,
      ),

    delete: (lease, abortSignal) => {
      if (!hasEnded(lease)) throw new Error(`lease ${lease.shardId} has not ended`);
      return conditional("DeleteItem", () =>
        client.deleteItem(
          {
            TableName,
            Key: { [A.key]: { S: lease.shardId } },
            ConditionExpression: `${A.checkpoint} = :end`,
            ExpressionAttributeValues: { ":end": { S: "SHARD_END" } },
          },
          { abortSignal },
        ),
      );
    },
  };
}

/** Java's condition is the counter alone; a stale `checkpointOwner` would make the lease unusable in KCL 3.x. */
function taking(lease: Lease, workerId: string): Change {
  const from = actualOwner(lease);
  const switched = from !== undefined && from !== workerId;
  return {
    when: `${A.counter} = :c`,
    update:
      `SET ${A.owner} = :me, ${A.counter} = :next REMOVE ${A.checkpointOwner}` +
      (switched ? ` ADD ${A.switches} :one` : ""),
    values: {
      ...counters(lease),
      ":me": { S: workerId },
      ...(switched && { ":one": { N: "1" } }),
    },
  };
}

/** During a handover of KCL 3.x the counter stays and `checkpointOwner` appears: that must not go unnoticed. */
function renewing(lease: Lease): Change {
  return {
    when: `${A.counter} = :c AND attribute_not_exists(${A.checkpointOwner})`,
    update: `SET ${A.counter} = :next`,
    values: counters(lease),
  };
}

function releasing(lease: Lease): Change {
  return {
    when: `${A.counter} = :c`,
    update: `SET ${A.counter} = :next REMOVE ${A.owner}`,
    values: counters(lease),
  };
}

function counters({ counter }: Lease): Item {
  return { ":c": { N: String(counter) }, ":next": { N: String(counter + 1) } };
}

function sortOut(tableName: string, items: readonly Item[]): Scan {
  const leases: Lease[] = [];
  const unreadable: UnreadableRow[] = [];
  for (const item of items) {
    if (isForeign(item)) continue;
    try {
      leases.push(parseItem(item));
    } catch (error) {
      if (!(error instanceof NotALease)) throw error;
      unreadable.push({ shardId: error.shardId, error: unreadableRow(tableName, error) });
    }
  }
  return { leases, unreadable };
}
